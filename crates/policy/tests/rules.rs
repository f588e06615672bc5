//! Each rule of the policy, met and broken.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;

use evidence::{Stream, check, proves};
use facts::{
    AllocationFacts, Capacity, DeviceClass, DeviceFacts, DeviceUuid, DriverModel, EccMode, MemoryType, ProbeFacts,
};
use policy::{Decision, Outcome, PolicyRecord, Rule, Verdict};

const MIB: u64 = 1 << 20;

/// A discrete GPU whose weights lie where they should, so that each test changes one fact.
fn fit() -> PolicyRecord {
    PolicyRecord {
        device: DeviceFacts {
            index: 0,
            class: DeviceClass::Gpu,
            name: "Example GPU".to_owned(),
            uuid: DeviceUuid::from_bytes([7; 16]),
            total_bytes: 1 << 36,
            driver_version: Some("580.65.06".to_owned()),
            driver_model: DriverModel::Linux,
            compute_capability: Some((9, 0)),
            integrated: false,
            unified_addressing: true,
            managed_memory: true,
            concurrent_managed_access: true,
            pageable_memory_access: true,
            pageable_memory_access_uses_host_page_tables: false,
            can_map_host_memory: true,
            ecc_mode: EccMode::Enabled,
            ecc_errors: None,
            mig_enabled: Some(false),
            compute_processes: None,
            confidential_computing: Some(false),
        },
        allocations: vec![AllocationFacts {
            requested_bytes: 5 * MIB,
            memory_type: MemoryType::Device,
            is_managed: false,
            has_host_pointer: false,
            device_ordinal: 0,
            range_offset_bytes: MIB,
            range_bytes: 6 * MIB,
        }],
        probe: None,
        capacity: None,
        requested_bytes: 0,
        ordinal: 0,
    }
}

/// A probe of all three chunks of [`fit`]'s allocation that finds device memory.
const PASSING: ProbeFacts = ProbeFacts {
    chunk_bytes: 2 * MIB,
    chunks: 3,
    slowest_chunk: 1,
    slowest_cycles: 820,
    device_control_cycles: 700,
    host_control_cycles: 2500,
};

fn with(change: impl FnOnce(&mut PolicyRecord)) -> PolicyRecord {
    let mut record = fit();
    change(&mut record);
    record
}

fn verdict(decision: &Decision, rule: Rule) -> Verdict {
    decision.findings().iter().find(|finding| finding.rule == rule).expect("one finding for each rule").verdict
}

fn broken(record: &PolicyRecord) -> Vec<Rule> {
    record.judge().violations().map(|finding| finding.rule).collect()
}

/// Records what is broken in `record` and what follows.
#[track_caller]
fn expect(case: &str, record: &PolicyRecord, rules: &[Rule], outcome: Outcome) {
    check(Stream::PolicyEnforcement, case, (rules, outcome), (broken(record), record.judge().outcome()));
}

/// Changes that break the same rule, each with its name.
type Breaks<'a> = &'a [(&'a str, &'a dyn Fn(&mut PolicyRecord))];

#[track_caller]
fn expect_each_breaks(rule: Rule, breaks: Breaks<'_>) {
    for (case, change) in breaks {
        expect(case, &with(change), &[rule], Outcome::Violated);
    }
}

#[test]
fn a_discrete_gpu_whose_memory_is_device_memory_is_enforced() {
    proves!("VP-001", "VP-003", "VP-005");
    expect("discrete_gpu", &fit(), &[], Outcome::Enforced);
    let verdicts: Vec<_> = fit().judge().findings().iter().map(|finding| (finding.rule, finding.verdict)).collect();
    let expected = [
        (Rule::Vp001, Verdict::Met),
        (Rule::Vp002, Verdict::Met),
        (Rule::Vp003, Verdict::Met),
        (Rule::Vp004, Verdict::NotApplicable),
        (Rule::Vp005, Verdict::Met),
        (Rule::Vp006, Verdict::Met),
    ];
    check(Stream::PolicyEnforcement, "every_rule_has_a_verdict", expected, verdicts);
}

#[test]
fn weights_outside_of_the_device_memory_we_chose_are_a_violation() {
    proves!("VP-001");
    expect_each_breaks(
        Rule::Vp001,
        &[
            ("host_memory", &|r| r.allocations[0].memory_type = MemoryType::Host),
            ("unified_memory_type", &|r| r.allocations[0].memory_type = MemoryType::Unified),
            ("array_memory", &|r| r.allocations[0].memory_type = MemoryType::Array),
            ("unknown_memory_type", &|r| r.allocations[0].memory_type = MemoryType::Unknown),
            ("another_device", &|r| r.allocations[0].device_ordinal = 1),
            ("range_one_byte_short", &|r| r.allocations[0].range_bytes -= 1),
            ("range_begins_one_byte_late", &|r| r.allocations[0].range_offset_bytes += 1),
            ("range_overflows", &|r| r.allocations[0].range_offset_bytes = u64::MAX),
            ("only_the_second_is_in_host_memory", &|r| {
                let second = AllocationFacts { memory_type: MemoryType::Host, ..r.allocations[0].clone() };
                r.allocations.push(second);
            }),
        ],
    );
}

#[test]
fn without_an_allocation_nothing_is_enforced() {
    proves!("VP-001");
    let idle = with(|r| r.allocations.clear());
    expect("no_allocation", &idle, &[], Outcome::Unproven);
    check(
        Stream::PolicyEnforcement,
        "no_allocation_is_not_met",
        [Verdict::NotApplicable; 2],
        [Rule::Vp001, Rule::Vp003].map(|rule| verdict(&idle.judge(), rule)),
    );
}

#[test]
fn test_unified_memory_disabled() {
    proves!("VP-002");
    expect("unified_addressing_alone", &with(|r| r.device.unified_addressing = true), &[], Outcome::Enforced);
    expect("no_unified_addressing", &with(|r| r.device.unified_addressing = false), &[], Outcome::Enforced);
    expect_each_breaks(
        Rule::Vp002,
        &[
            ("integrated_device", &|r| r.device.integrated = true),
            ("integrated_device_without_unified_addressing", &|r| {
                r.device.integrated = true;
                r.device.unified_addressing = false;
            }),
            ("managed_allocation", &|r| r.allocations[0].is_managed = true),
            ("only_the_second_is_managed", &|r| {
                let second = AllocationFacts { is_managed: true, ..r.allocations[0].clone() };
                r.allocations.push(second);
            }),
        ],
    );
    // A device without an allocation is judged by this rule as well.
    let idle = with(|r| {
        r.allocations.clear();
        r.device.integrated = true;
    });
    expect("integrated_device_without_an_allocation", &idle, &[Rule::Vp002], Outcome::Violated);
    // The simulated device is broken by the same facts, and never enforced without them.
    let simulated = with(|r| r.device.class = DeviceClass::Simulated);
    let integrated = with(|r| (r.device.class, r.device.integrated) = (DeviceClass::Simulated, true));
    check(
        Stream::PolicyEnforcement,
        "simulated_discrete_and_integrated",
        [Outcome::Simulated, Outcome::Violated],
        [simulated.judge().outcome(), integrated.judge().outcome()],
    );
}

#[test]
fn an_ability_of_the_device_is_recorded_and_never_fails_alone() {
    proves!("VP-002", "VP-003");
    type Ability = (&'static str, Rule, fn(&mut DeviceFacts) -> &mut bool);
    let abilities: [Ability; 5] = [
        ("device.unified_addressing", Rule::Vp002, |d| &mut d.unified_addressing),
        ("device.managed_memory", Rule::Vp002, |d| &mut d.managed_memory),
        ("device.concurrent_managed_access", Rule::Vp002, |d| &mut d.concurrent_managed_access),
        ("device.can_map_host_memory", Rule::Vp003, |d| &mut d.can_map_host_memory),
        ("device.pageable_memory_access", Rule::Vp005, |d| &mut d.pageable_memory_access),
    ];
    for (name, rule, field) in abilities {
        for value in [true, false] {
            let record = with(|r| *field(&mut r.device) = value);
            expect(name, &record, &[], Outcome::Enforced);
            let decision = record.judge();
            let finding = decision.findings().iter().find(|finding| finding.rule == rule).unwrap();
            let read = finding.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.clone());
            check(Stream::PolicyEnforcement, &format!("{name}_is_recorded"), Some(value.to_string()), read);
        }
    }
}

#[test]
fn a_host_pointer_into_the_weights_is_a_violation() {
    proves!("VP-003");
    expect_each_breaks(
        Rule::Vp003,
        &[
            ("host_pointer", &|r| r.allocations[0].has_host_pointer = true),
            ("only_the_second_has_a_host_pointer", &|r| {
                let second = AllocationFacts { has_host_pointer: true, ..r.allocations[0].clone() };
                r.allocations.push(second);
            }),
        ],
    );
}

#[test]
fn a_request_beyond_what_is_free_is_a_violation() {
    proves!("VP-004");
    let ask = |requested_bytes| {
        with(|r| {
            r.requested_bytes = requested_bytes;
            r.capacity = Some(Capacity { total_bytes: 1 << 36, free_bytes: 4096 });
        })
    };
    expect("exact_fit", &ask(4096), &[], Outcome::Enforced);
    expect("one_byte_too_many", &ask(4097), &[Rule::Vp004], Outcome::Violated);
    expect("largest_number", &ask(u64::MAX), &[Rule::Vp004], Outcome::Violated);
    check(Stream::PolicyEnforcement, "exact_fit_is_met", Verdict::Met, verdict(&ask(4096).judge(), Rule::Vp004));
}

#[test]
fn a_device_that_can_spill_to_host_memory_needs_a_probe_that_passes() {
    proves!("VP-005");
    let suspects: Breaks<'_> = &[
        ("wddm", &|r| r.device.driver_model = DriverModel::Wddm),
        ("unknown_driver_model", &|r| r.device.driver_model = DriverModel::Unknown),
        ("coherent", &|r| r.device.pageable_memory_access_uses_host_page_tables = true),
    ];
    expect_each_breaks(Rule::Vp005, suspects);
    for (case, change) in suspects {
        let probed = with(|r| {
            change(r);
            r.probe = Some(PASSING);
        });
        expect(&format!("{case}_with_a_passing_probe"), &probed, &[], Outcome::Enforced);
    }
    expect("tcc", &with(|r| r.device.driver_model = DriverModel::Tcc), &[], Outcome::Enforced);
}

#[test]
fn a_probe_that_does_not_pass_is_a_violation_on_any_device() {
    proves!("VP-005");
    let probe = |change: fn(&mut ProbeFacts)| {
        let mut probe = PASSING;
        change(&mut probe);
        with(|r| r.probe = Some(probe))
    };
    let threshold = PASSING.threshold_cycles();
    expect("passing_probe", &probe(|_| ()), &[], Outcome::Enforced);
    let below = ProbeFacts { slowest_cycles: threshold - 1, ..PASSING };
    expect("just_below_the_threshold", &with(|r| r.probe = Some(below)), &[], Outcome::Enforced);
    type Case = (&'static str, fn(&mut ProbeFacts));
    let cases: [Case; 8] = [
        ("at_the_threshold", |p| p.slowest_cycles = p.threshold_cycles()),
        ("one_chunk_in_host_memory", |p| (p.slowest_chunk, p.slowest_cycles) = (2, 2400)),
        ("last_chunk_not_probed", |p| p.chunks = 2),
        ("nothing_probed", |p| (p.chunks, p.slowest_chunk) = (0, 0)),
        ("chunks_without_length", |p| p.chunk_bytes = 0),
        ("controls_alike", |p| p.host_control_cycles = p.device_control_cycles),
        ("controls_swapped", |p| (p.device_control_cycles, p.host_control_cycles) = (2500, 700)),
        ("chunk_that_was_not_probed", |p| p.slowest_chunk = 3),
    ];
    for (case, change) in cases {
        expect(case, &probe(change), &[Rule::Vp005], Outcome::Violated);
    }
    let two = with(|r| {
        r.probe = Some(PASSING);
        r.allocations.push(r.allocations[0].clone());
    });
    expect("probe_of_one_of_two_allocations", &two, &[Rule::Vp005], Outcome::Violated);
}

#[test]
fn a_device_that_is_not_identified_is_a_violation() {
    proves!("VP-006");
    expect_each_breaks(
        Rule::Vp006,
        &[
            ("no_uuid", &|r| r.device.uuid = DeviceUuid::from_bytes([0; 16])),
            ("facts_of_another_device", &|r| r.device.index = 1),
        ],
    );
}

#[test]
fn no_facts_make_a_simulated_device_or_a_stand_in_enforced() {
    for class in [DeviceClass::Simulated, DeviceClass::FakeDriver] {
        for probe in [None, Some(PASSING)] {
            let record = with(|r| (r.device.class, r.probe) = (class, probe.clone()));
            expect(&format!("{class}_is_never_enforced"), &record, &[], Outcome::Simulated);
        }
        let broken = with(|r| (r.device.class, r.allocations[0].is_managed) = (class, true));
        expect(&format!("{class}_with_managed_memory"), &broken, &[Rule::Vp002], Outcome::Violated);
    }
}

#[test]
fn a_decision_is_found_out_by_judging_the_recorded_facts_again() {
    let record = with(|r| r.device.integrated = true);
    let kept = serde_json::to_string(&record).unwrap();
    let decision = serde_json::to_string(&record.judge()).unwrap();
    let again: PolicyRecord = serde_json::from_str(&kept).unwrap();
    assert_eq!(serde_json::from_str::<Decision>(&decision).unwrap(), again.judge());

    let lie: Decision = serde_json::from_str(&decision.replace("violated", "enforced")).unwrap();
    assert_eq!(lie.outcome(), Outcome::Enforced);
    assert_ne!(lie, again.judge());
}

#[test]
fn rules_and_outcomes_are_shown_as_they_are_written_in_a_decision() {
    proves!("VP-006");
    let written = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let ids = Rule::ALL.map(|rule| written(serde_json::to_value(rule).unwrap()));
    check(
        Stream::PolicyEnforcement,
        "rules_written",
        ["VP-001", "VP-002", "VP-003", "VP-004", "VP-005", "VP-006"],
        &ids,
    );
    check(Stream::PolicyEnforcement, "rules_shown", &ids, Rule::ALL.map(|rule| rule.to_string()));
    let outcomes = [Outcome::Enforced, Outcome::Simulated, Outcome::Unproven, Outcome::Violated];
    check(
        Stream::PolicyEnforcement,
        "outcomes_shown",
        outcomes.map(|outcome| written(serde_json::to_value(outcome).unwrap())),
        outcomes.map(Outcome::as_str),
    );
    let expectations: BTreeSet<String> = fit().judge().findings().iter().map(|one| one.expected.clone()).collect();
    check(Stream::PolicyEnforcement, "each_rule_expects_something_of_its_own", Rule::ALL.len(), expectations.len());
}
