//! The rules themselves: each reads facts of a record, and says what it found.
//!
//! A rule collects what is wrong. Nothing wrong means that it is met; "not known" is wrong wherever the rule needs to know.

use std::fmt::Display;

use facts::{AllocationFacts, DriverModel, MemoryType, ProbeFacts};

use crate::{FactRead, Finding, PolicyRecord, Rule, Verdict};

/// What a rule read and what it found wrong; `None` when the record holds nothing that the rule speaks of.
struct Reading {
    facts: Vec<FactRead>,
    wrong: Option<Vec<String>>,
}

pub(crate) fn finding(rule: Rule, record: &PolicyRecord) -> Finding {
    let Reading { facts, wrong } = match rule {
        Rule::Vp001 => in_device_memory(record),
        Rule::Vp002 => not_unified_memory(record),
        Rule::Vp003 => no_zero_copy(record),
        Rule::Vp004 => fits(record),
        Rule::Vp005 => stays_in_device_memory(record),
        Rule::Vp006 => identified(record),
    };
    let (observed, verdict) = match wrong {
        None => ("nothing to judge".to_owned(), Verdict::NotApplicable),
        Some(wrong) if wrong.is_empty() => ("as expected".to_owned(), Verdict::Met),
        Some(wrong) => (wrong.join("; "), Verdict::Broken),
    };
    Finding { rule, facts, expected: rule.expectation().to_owned(), observed, verdict }
}

fn read(name: &str, value: impl Display) -> FactRead {
    FactRead { name: name.to_owned(), value: value.to_string() }
}

/// Applies `rule` to every allocation; `None` when there is none.
fn each_allocation(
    record: &PolicyRecord,
    facts: &mut Vec<FactRead>,
    mut rule: impl FnMut(&str, &AllocationFacts, &mut Vec<FactRead>) -> Vec<String>,
) -> Option<Vec<String>> {
    if record.allocations.is_empty() {
        return None;
    }
    let mut wrong = Vec::new();
    for (position, allocation) in record.allocations.iter().enumerate() {
        wrong.extend(rule(&format!("allocations[{position}]"), allocation, facts));
    }
    Some(wrong)
}

/// VP-001.
fn in_device_memory(record: &PolicyRecord) -> Reading {
    let mut facts = vec![read("ordinal", record.ordinal)];
    let wrong = each_allocation(record, &mut facts, |path, allocation, facts| {
        facts.push(read(&format!("{path}.requested_bytes"), allocation.requested_bytes));
        facts.push(read(&format!("{path}.memory_type"), allocation.memory_type));
        facts.push(read(&format!("{path}.device_ordinal"), allocation.device_ordinal));
        facts.push(read(&format!("{path}.range_offset_bytes"), allocation.range_offset_bytes));
        facts.push(read(&format!("{path}.range_bytes"), allocation.range_bytes));
        let mut wrong = Vec::new();
        if allocation.memory_type != MemoryType::Device {
            wrong.push(format!("{path} is {} memory", allocation.memory_type));
        }
        if allocation.device_ordinal != record.ordinal {
            wrong.push(format!("{path} belongs to device {}", allocation.device_ordinal));
        }
        let end = allocation.range_offset_bytes.checked_add(allocation.requested_bytes);
        if end.is_none_or(|end| end > allocation.range_bytes) {
            wrong.push(format!("{path} is longer than the range that the driver reports"));
        }
        wrong
    });
    Reading { facts, wrong }
}

/// VP-002. The abilities are recorded, and none of them alone is a failure: unified addressing is on in every 64-bit GPU.
fn not_unified_memory(record: &PolicyRecord) -> Reading {
    let device = &record.device;
    let mut facts = vec![
        read("device.integrated", device.integrated),
        read("device.unified_addressing", device.unified_addressing),
        read("device.managed_memory", device.managed_memory),
        read("device.concurrent_managed_access", device.concurrent_managed_access),
    ];
    let mut wrong = Vec::new();
    if device.integrated {
        wrong.push("the device is integrated: its memory is the host's memory".to_owned());
    }
    let managed = each_allocation(record, &mut facts, |path, allocation, facts| {
        facts.push(read(&format!("{path}.is_managed"), allocation.is_managed));
        allocation.is_managed.then(|| format!("{path} is managed memory")).into_iter().collect()
    });
    wrong.extend(managed.unwrap_or_default());
    Reading { facts, wrong: Some(wrong) }
}

/// VP-003.
fn no_zero_copy(record: &PolicyRecord) -> Reading {
    let mut facts = vec![read("device.can_map_host_memory", record.device.can_map_host_memory)];
    let wrong = each_allocation(record, &mut facts, |path, allocation, facts| {
        facts.push(read(&format!("{path}.has_host_pointer"), allocation.has_host_pointer));
        allocation.has_host_pointer.then(|| format!("{path} has a host pointer")).into_iter().collect()
    });
    Reading { facts, wrong }
}

/// VP-004.
fn fits(record: &PolicyRecord) -> Reading {
    let mut facts = vec![read("requested_bytes", record.requested_bytes)];
    let wrong = record.capacity.map(|capacity| {
        facts.push(read("capacity.free_bytes", capacity.free_bytes));
        facts.push(read("capacity.total_bytes", capacity.total_bytes));
        if record.requested_bytes > capacity.free_bytes {
            vec![format!("{} bytes are asked for and {} are free", record.requested_bytes, capacity.free_bytes)]
        } else {
            Vec::new()
        }
    });
    Reading { facts, wrong }
}

/// VP-005.
fn stays_in_device_memory(record: &PolicyRecord) -> Reading {
    let device = &record.device;
    let mut facts = vec![
        read("device.driver_model", device.driver_model),
        read(
            "device.pageable_memory_access_uses_host_page_tables",
            device.pageable_memory_access_uses_host_page_tables,
        ),
        read("device.pageable_memory_access", device.pageable_memory_access),
    ];
    let mut wrong = Vec::new();
    if let Some(probe) = &record.probe {
        facts.push(read("probe.chunk_bytes", probe.chunk_bytes));
        facts.push(read("probe.chunks", probe.chunks));
        facts.push(read("probe.slowest_chunk", probe.slowest_chunk));
        facts.push(read("probe.slowest_cycles", probe.slowest_cycles));
        facts.push(read("probe.device_control_cycles", probe.device_control_cycles));
        facts.push(read("probe.host_control_cycles", probe.host_control_cycles));
        wrong.extend(probe_failures(probe, &record.allocations));
    } else {
        if matches!(device.driver_model, DriverModel::Wddm | DriverModel::Unknown) {
            let model = device.driver_model;
            wrong.push(format!("driver model {model} can move device memory to the host, and no probe was made"));
        }
        if device.pageable_memory_access_uses_host_page_tables {
            wrong.push("the device is coherent with host memory, and no probe was made".to_owned());
        }
    }
    Reading { facts, wrong: Some(wrong) }
}

fn probe_failures(probe: &ProbeFacts, allocations: &[AllocationFacts]) -> Vec<String> {
    let mut wrong = Vec::new();
    if probe.device_control_cycles >= probe.host_control_cycles {
        wrong.push("the probe's controls do not tell device memory from host memory".to_owned());
    }
    if probe.slowest_cycles >= probe.threshold_cycles() {
        wrong.push(format!(
            "chunk {} answers in {} cycles, host memory begins at {}",
            probe.slowest_chunk,
            probe.slowest_cycles,
            probe.threshold_cycles()
        ));
    }
    // A chunk length of zero covers nothing, and a sum that does not fit covers less than is needed.
    let needed = allocations.iter().try_fold(0_u64, |sum, allocation| {
        sum.checked_add(allocation.requested_bytes.checked_div(probe.chunk_bytes)?)?
            .checked_add(u64::from(allocation.requested_bytes.checked_rem(probe.chunk_bytes)? != 0))
    });
    if probe.chunks == 0 || needed.is_none_or(|needed| needed > probe.chunks) {
        wrong.push("the probe did not reach every chunk of the allocations".to_owned());
    }
    if probe.slowest_chunk >= probe.chunks {
        wrong.push("the probe names a chunk that it did not reach".to_owned());
    }
    wrong
}

/// VP-006.
fn identified(record: &PolicyRecord) -> Reading {
    let device = &record.device;
    let facts = vec![
        read("ordinal", record.ordinal),
        read("device.index", device.index),
        read("device.class", device.class),
        read("device.uuid", device.uuid),
    ];
    let mut wrong = Vec::new();
    if device.uuid.is_zero() {
        wrong.push("the driver reports no uuid".to_owned());
    }
    if device.index != record.ordinal {
        wrong.push(format!("the facts are those of device {}", device.index));
    }
    Reading { facts, wrong: Some(wrong) }
}
