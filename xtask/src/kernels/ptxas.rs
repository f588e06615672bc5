//! What `ptxas -v` says of the kernels that it assembles.

use super::manifest::Kernel;

/// The kernels in what the assembler said, sorted by name. One of which it did not say everything is left out.
pub(super) fn kernels(said: &str) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let mut begun: Option<Kernel> = None;
    for line in said.lines() {
        if let Some(entry) = line.split_once("Compiling entry function '").map(|(_, rest)| rest) {
            begun = entry.split_once("' for '").map(|(name, code)| Kernel {
                name: name.to_owned(),
                code: code.trim_end_matches('\'').to_owned(),
                registers: 0,
                stack_bytes: 0,
                spill_store_bytes: 0,
                spill_load_bytes: 0,
                shared_bytes: 0,
            });
        } else if let (Some(kernel), true) = (begun.as_mut(), line.contains("bytes stack frame")) {
            kernel.stack_bytes = before(line, "bytes stack frame");
            kernel.spill_store_bytes = before(line, "bytes spill stores");
            kernel.spill_load_bytes = before(line, "bytes spill loads");
        } else if line.contains(" registers")
            && let Some(mut kernel) = begun.take()
        {
            kernel.registers = before(line, "registers");
            kernel.shared_bytes = before(line, "bytes smem");
            kernels.push(kernel);
        }
    }
    kernels.sort_by(|a, b| a.name.cmp(&b.name));
    kernels
}

/// The number before `what` in a line; 0 when it is not there, which is how the assembler says 0.
fn before(line: &str, what: &str) -> u64 {
    let (head, _) = line.split_once(what).unwrap_or_default();
    head.split_whitespace().next_back().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;

    #[test]
    fn each_kernel_is_read_with_its_figures() {
        let said = "ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'probe' for 'sm_75'
ptxas info    : Function properties for probe
    8 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads
ptxas info    : Used 22 registers, used 0 barriers, 416 bytes cmem[0]
ptxas info    : Compile time = 57.558 ms
ptxas info    : Compiling entry function 'hash_blocks' for 'sm_90'
ptxas info    : Function properties for hash_blocks
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 56 registers, used 0 barriers, 16384 bytes smem
ptxas info    : Compiling entry function 'cut_off' for 'sm_90'
";
        let kernel = |name: &str, code: &str, [registers, stack, stores, loads, shared]: [u64; 5]| Kernel {
            name: name.to_owned(),
            code: code.to_owned(),
            registers,
            stack_bytes: stack,
            spill_store_bytes: stores,
            spill_load_bytes: loads,
            shared_bytes: shared,
        };
        let expected =
            [kernel("hash_blocks", "sm_90", [56, 0, 0, 0, 16384]), kernel("probe", "sm_75", [22, 8, 12, 16, 0])];
        assert_eq!(kernels(said), expected);
    }
}
