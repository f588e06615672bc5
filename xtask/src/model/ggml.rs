//! The sizes of ggml's tensor types: <https://github.com/ggml-org/ggml/blob/master/src/ggml.c>, `type_traits`.

/// How many elements a block of the type has, and how many bytes it takes. None for types that are not known here. Q8_1 is
/// one of them: files never hold it, and ggml and its Python package disagree on its size.
fn block(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 | 26 => (1, 4),      // F32, I32
        1 | 25 | 30 => (1, 2), // F16, I16, BF16
        24 => (1, 1),          // I8
        27 | 28 => (1, 8),     // I64, F64
        2 | 20 => (32, 18),    // Q4_0, IQ4_NL
        3 => (32, 20),         // Q4_1
        6 => (32, 22),         // Q5_0
        7 => (32, 24),         // Q5_1
        8 => (32, 34),         // Q8_0
        39 => (32, 17),        // MXFP4
        10 => (256, 84),       // Q2_K
        11 | 21 => (256, 110), // Q3_K, IQ3_S
        12 => (256, 144),      // Q4_K
        13 => (256, 176),      // Q5_K
        14 => (256, 210),      // Q6_K
        15 => (256, 292),      // Q8_K
        16 | 35 => (256, 66),  // IQ2_XXS, TQ2_0
        17 => (256, 74),       // IQ2_XS
        18 => (256, 98),       // IQ3_XXS
        19 => (256, 50),       // IQ1_S
        22 => (256, 82),       // IQ2_S
        23 => (256, 136),      // IQ4_XS
        29 => (256, 56),       // IQ1_M
        34 => (256, 54),       // TQ1_0
        _ => return None,
    })
}

/// The bytes that a tensor of type `kind` takes, its fastest extent first; `Ok(None)` when the type is not known here.
///
/// # Errors
/// Why no tensor has these extents: a row is not a whole number of blocks, or the product is past 64 bits.
pub(super) fn tensor_bytes(kind: u32, extents: &[u64]) -> Result<Option<u64>, String> {
    let Some((elements, bytes)) = block(kind) else { return Ok(None) };
    let row = extents.first().copied().unwrap_or(1);
    if row.checked_rem(elements) != Some(0) {
        return Err(format!("has rows of {row} elements, and its type {kind} comes in blocks of {elements}"));
    }
    let blocks = row.checked_div(elements).unwrap_or(0);
    let rows = extents.get(1..).unwrap_or_default();
    rows.iter()
        .try_fold(blocks, |product, extent| product.checked_mul(*extent))
        .and_then(|blocks| blocks.checked_mul(bytes))
        .map(Some)
        .ok_or_else(|| format!("has extents {extents:?}, more bytes than 64 bits count"))
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
    fn sizes_follow_from_type_and_extents() {
        assert_eq!(tensor_bytes(0, &[4, 2]), Ok(Some(32)));
        assert_eq!(tensor_bytes(1, &[]), Ok(Some(2)), "a scalar");
        assert_eq!(tensor_bytes(2, &[64, 3]), Ok(Some(108)));
        assert_eq!(tensor_bytes(14, &[512, 5, 2]), Ok(Some(4200)));
        assert_eq!(tensor_bytes(8, &[0, 7]), Ok(Some(0)));
        assert_eq!(tensor_bytes(4711, &[u64::MAX, 2]), Ok(None));
    }

    #[test]
    fn extents_that_no_tensor_has_are_refused() {
        assert!(tensor_bytes(12, &[255]).unwrap_err().contains("blocks of 256"));
        assert!(tensor_bytes(0, &[1 << 62, 2]).unwrap_err().contains("64 bits"));
        assert!(tensor_bytes(0, &[1 << 32, 1 << 32]).unwrap_err().contains("64 bits"));
    }
}
