//! Bundles that say something else than the run did: from a changed word to a lie in which everything fits together. What
//! fits together is found by the signature alone, so with `--integrity-only` it passes: consistency is all that shows.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod fixture;
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod tamper;

use facts::DeviceClass;
use proof_bundle::provenance::{Metadata, Provenance};
use proof_bundle::requirement::RequirementsFile;
use serde_json::json;
use tamper::case::{CONSISTENT, HASH, NOT_SIGNED, case, check, failed, of_another_version, program, rich};
use tamper::{Bundle, STREAMS, sha256};

const CRYPTO: &str = STREAMS[0];
const POLICY: &str = STREAMS[1];
const CUDA: &str = STREAMS[2];

/// What a run without a proven requirement too few comes to, where a GPU is claimed.
const ALL_PROVEN: tamper::case::Answer = (0, "every requirement is proven");

const OTHER_VERSION: tamper::case::Answer = (22, "this verifier is of version");

#[test]
fn the_good_bundles_pass_and_so_do_their_copies() {
    check(&[
        // Every case begins with a copy.
        case("nothing is done", |_| (), CONSISTENT, CONSISTENT),
        case("nothing is done to a failed run", |_| (), (10, "failed"), (10, "failed")).of(failed),
        case("another version made it", |_| (), OTHER_VERSION, OTHER_VERSION).of(of_another_version),
    ]);
    let original = rich();
    for bundle in [original.copy().copy(), original] {
        assert_eq!((bundle.verify().exit().code(), program(&bundle, true), program(&bundle, false)), (0, 0, 0));
    }
}

#[test]
fn records_are_what_was_observed() {
    let status = |bundle: &Bundle| bundle.replace(CUDA, "\"status\":\"pass\"", "\"status\":\"fail\"");
    let seen = |bundle: &Bundle| bundle.edit_lines(CUDA, |lines| lines[0]["observed"] = json!("other"));
    let does_not_follow = (22, "the status does not follow");
    check(&[
        case("a status is changed", status, HASH, HASH),
        case("and the hash", then(status, Bundle::rehash), NOT_SIGNED, does_not_follow),
        case("and everything else", then(status, Bundle::put_in_order), NOT_SIGNED, does_not_follow),
        case(
            "an observation is changed, and everything else",
            then(seen, Bundle::put_in_order),
            NOT_SIGNED,
            does_not_follow,
        ),
        case(
            "a status has another word",
            |bundle| {
                bundle.replace(CUDA, "\"status\":\"pass\"", "\"status\":\"PASS\"");
                bundle.put_in_order();
            },
            (20, "/status"),
            (20, "/status"),
        ),
        case("a failed record passes", |bundle| pass(bundle, false), NOT_SIGNED, (10, "failed")).of(failed),
        case("the failed test and its record pass", |bundle| pass(bundle, true), NOT_SIGNED, CONSISTENT).of(failed),
        case(
            "expected and observed change places",
            |bundle| {
                bundle.edit_lines(CRYPTO, |lines| {
                    lines[4]["expected"] = json!("something else");
                    lines[4]["observed"] = json!("as expected");
                });
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (10, "failed"),
        )
        .of(failed),
        case(
            "a failed record is declared",
            |bundle| {
                bundle.edit_lines(CRYPTO, |lines| {
                    lines[4]["class"] = json!("declared");
                    lines[4]["requirements"] = json!([]);
                });
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (10, "failed"),
        )
        .of(failed),
        case(
            "a declared record is observed",
            |bundle| {
                bundle.edit_lines(STREAMS[4], |lines| lines[0]["class"] = json!("observed"));
                bundle.put_in_order();
            },
            (20, "is missing"),
            (20, "is missing"),
        ),
        case("a sequence number is negative", |bundle| seq(bundle, json!(-1)), (20, "/seq"), (20, "/seq")),
        case("a sequence number is 0", |bundle| seq(bundle, json!(0)), (20, "/seq"), (20, "/seq")),
        case("a sequence number is text", |bundle| seq(bundle, json!("1")), (20, "/seq"), (20, "/seq")),
        case(
            "a sequence number is 2^64 - 1",
            |bundle| seq(bundle, json!(u64::MAX)),
            (20, "`seq` is"),
            (20, "`seq` is"),
        ),
    ]);
}

fn seq(bundle: &Bundle, number: serde_json::Value) {
    bundle.edit_lines(CUDA, |lines| lines[0]["seq"] = number);
    bundle.rehash();
}

/// Makes what failed pass; the test too if `junit`.
fn pass(bundle: &Bundle, junit: bool) {
    bundle.edit_lines(CRYPTO, |lines| {
        lines[4]["observed"] = lines[4]["expected"].clone();
        lines[4]["status"] = json!("pass");
    });
    if junit {
        let text = bundle.read("tests.junit.xml");
        let (before, rest) = text.split_once("            <failure").unwrap();
        let (_, after) = rest.split_once("</failure>\n").unwrap();
        let text = format!("{before}{after}").replace("failures=\"1\"", "failures=\"0\"");
        bundle.write("tests.junit.xml", text);
    }
    bundle.put_in_order();
}

fn then(first: fn(&Bundle), second: fn(&Bundle)) -> impl Fn(&Bundle) {
    move |bundle| {
        first(bundle);
        second(bundle);
    }
}

#[test]
fn lines_stay_in_their_order() {
    let swap = |bundle: &Bundle| bundle.edit_lines(CRYPTO, |lines| lines.swap(1, 2));
    let twice = |bundle: &Bundle| bundle.edit_lines(CRYPTO, |lines| lines.insert(2, lines[1].clone()));
    let drop_first = |bundle: &Bundle| bundle.edit_lines(CRYPTO, |lines| drop(lines.remove(0)));
    let drop_last = |bundle: &Bundle| bundle.edit_lines(CRYPTO, |lines| drop(lines.pop()));
    let seq = (20, "`seq` is");
    check(&[
        case("two lines change places", swap, HASH, HASH),
        case("and the hash", then(swap, Bundle::rehash), seq, seq),
        case("and everything else", then(swap, Bundle::put_in_order), NOT_SIGNED, CONSISTENT),
        case("a line is there twice", twice, HASH, HASH),
        case("and the hash", then(twice, Bundle::rehash), seq, seq),
        case("and everything else", then(twice, Bundle::put_in_order), NOT_SIGNED, CONSISTENT),
        case("the first line is dropped", drop_first, HASH, HASH),
        case("and the hash", then(drop_first, Bundle::rehash), seq, seq),
        case("the last line is dropped", drop_last, HASH, HASH),
        case("and the hash", then(drop_last, Bundle::rehash), NOT_SIGNED, (22, "coverage.json")),
        case(
            "and everything else",
            then(drop_last, Bundle::put_in_order),
            NOT_SIGNED,
            (11, "has no test or no record"),
        ),
        case(
            "a chain begins elsewhere",
            |bundle| {
                bundle.edit_lines(CUDA, |lines| lines[0]["prev_sha256"] = json!("0".repeat(64)));
                bundle.rehash();
            },
            (20, "not the hash of the line before"),
            (20, "not the hash of the line before"),
        ),
        case(
            "the lines of two files change places",
            |bundle| {
                let [one, other] = [CUDA, STREAMS[3]].map(|name| bundle.read(name));
                bundle.write(CUDA, other);
                bundle.write(STREAMS[3], one);
                bundle.rehash();
            },
            (20, "not the hash of the line before"),
            (20, "not the hash of the line before"),
        ),
    ]);
}

#[test]
fn a_device_is_what_it_was() {
    check(&[
        case("a word says GPU", |bundle| bundle.replace(CRYPTO, "\"simulated\"", "\"gpu\""), HASH, HASH),
        case(
            "records say GPU, and everything is put in order",
            |bundle| {
                relabel(bundle, CRYPTO, "gpu");
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "names no device of that class"),
        ),
        case(
            "records of tests say GPU",
            |bundle| {
                relabel_tests(bundle, CRYPTO, "gpu");
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (12, "provenance.json names none"),
        ),
        case(
            "the decision says GPU and its facts do not",
            |bundle| {
                relabel(bundle, POLICY, "gpu");
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "about a device of class simulated"),
        ),
        case(
            "simulated records say fake driver",
            |bundle| {
                relabel(bundle, CRYPTO, "fake-driver");
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "names no device of that class"),
        ),
        case(
            "simulated records of tests say fake driver",
            |bundle| {
                relabel_tests(bundle, CRYPTO, "fake-driver");
                bundle.put_in_order();
            },
            NOT_SIGNED,
            CONSISTENT,
        ),
        case(
            "a GPU with a driver is added, and the live operations stay simulated",
            |bundle| {
                gpu(bundle);
                for file in STREAMS {
                    relabel(bundle, file, "simulated");
                    relabel_tests(bundle, file, "gpu");
                }
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "names no device of that class"),
        ),
        case(
            "a GPU without a driver is added",
            |bundle| {
                device(bundle, |device| device.class = DeviceClass::Gpu);
                relabel(bundle, CRYPTO, "gpu");
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "a driver version"),
        ),
        case("a GPU with a driver is added, and all records say so", gpu, NOT_SIGNED, ALL_PROVEN),
        case(
            "a GPU stands beside the simulated device",
            |bundle| {
                let mut both = Vec::new();
                bundle.edit("provenance.json", |provenance: &mut Provenance| {
                    provenance.devices.push(a_gpu());
                    both.clone_from(&provenance.devices);
                });
                bundle.edit("metadata.json", |metadata: &mut Metadata| metadata.gpu_devices.clone_from(&both));
                relabel(bundle, CRYPTO, "gpu");
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "not the class of each device"),
        ),
        case(
            "a GPU that no CUDA device is",
            |bundle| {
                gpu(bundle);
                bundle.edit("metadata.json", |metadata: &mut Metadata| metadata.environment.cuda_available = false);
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "no CUDA device could be used"),
        ),
        case(
            "only the mode says GPU",
            |bundle| {
                bundle.edit("metadata.json", |metadata: &mut Metadata| metadata.test_mode = DeviceClass::Gpu);
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "metadata.json"),
        ),
        case(
            "a class that does not exist",
            |bundle| {
                relabel(bundle, CRYPTO, "GPU");
                bundle.put_in_order();
            },
            (20, "/device"),
            (20, "/device"),
        ),
    ]);
}

fn relabel(bundle: &Bundle, file: &str, class: &str) {
    bundle.edit_lines(file, |lines| {
        for line in lines.iter_mut().filter(|line| line["class"] == "observed") {
            line["device"] = json!(class);
        }
    });
}

fn relabel_tests(bundle: &Bundle, file: &str, class: &str) {
    bundle.edit_lines(file, |lines| {
        for line in lines.iter_mut().filter(|line| line["class"] == "observed" && line["binary"] != "live") {
            line["device"] = json!(class);
        }
    });
}

fn device(bundle: &Bundle, change: fn(&mut facts::DeviceFacts)) {
    bundle.edit("provenance.json", |provenance: &mut Provenance| provenance.devices.iter_mut().for_each(change));
    bundle.edit("metadata.json", |metadata: &mut Metadata| metadata.gpu_devices.iter_mut().for_each(change));
}

fn a_gpu() -> facts::DeviceFacts {
    serde_json::from_value(json!({
        "index": 0, "class": "gpu", "name": "NVIDIA H100", "uuid": "GPU-00000000-0000-0000-0000-000000000002",
        "total_bytes": 8_589_934_592_u64, "driver_version": "580.1", "driver_model": "linux",
        "compute_capability": [9, 0], "integrated": false, "unified_addressing": true, "managed_memory": true,
        "concurrent_managed_access": true, "pageable_memory_access": false,
        "pageable_memory_access_uses_host_page_tables": false, "can_map_host_memory": true, "ecc_mode": "enabled",
        "mig_enabled": false, "confidential_computing": false,
    }))
    .unwrap()
}

/// The whole lie: every record comes from a GPU, which has all that a GPU has.
fn gpu(bundle: &Bundle) {
    device(bundle, |device| *device = a_gpu());
    bundle.edit("metadata.json", |metadata: &mut Metadata| {
        metadata.test_mode = DeviceClass::Gpu;
        metadata.environment.cuda_available = true;
    });
    for file in STREAMS {
        relabel(bundle, file, "gpu");
    }
    // The decision goes: what it was made from was no GPU.
    bundle.edit_lines(POLICY, |lines| drop(lines.pop()));
    bundle.put_in_order();
}

#[test]
fn requirements_and_their_tests_are_those_of_the_run() {
    let text = |bundle: &Bundle| bundle.replace("requirements.json", "Sealing MUST work.", "Sealing MAY work.");
    let text_and_hash = |bundle: &Bundle| {
        bundle.replace("requirements.json", "Sealing MUST work.", "Sealing MAY work.");
        let [old, new] = ["Sealing MUST work.", "Sealing MAY work."].map(|text| sha256(text.as_bytes()));
        bundle.replace("requirements.json", &old, &new);
    };
    let fewer_tests = |bundle: &Bundle| {
        requirements(bundle, |file| drop(file.requirements[0].mapped_tests.remove(0)));
    };
    let no_gpu_needed = |bundle: &Bundle| {
        requirements(bundle, |file| file.requirements.iter_mut().for_each(|one| one.requirement.needs_gpu = false));
    };
    let does_not_follow = (22, "coverage.json");
    check(&[
        case("a text is changed", text, HASH, HASH),
        case("and the hash of the file", then(text, Bundle::rehash), NOT_SIGNED, (22, "the hash of 00§2.1")),
        case(
            "and everything but its own hash",
            then(text, Bundle::put_in_order),
            NOT_SIGNED,
            (22, "the hash of 00§2.1"),
        ),
        case("a text and its hash are changed", then(text_and_hash, Bundle::rehash), NOT_SIGNED, does_not_follow),
        case("and everything else", then(text_and_hash, Bundle::put_in_order), NOT_SIGNED, CONSISTENT),
        case("a requirement is dropped", then(drop_requirement, Bundle::rehash), NOT_SIGNED, does_not_follow),
        case(
            "and everything but the claims of its test",
            then(drop_requirement, Bundle::put_in_order),
            NOT_SIGNED,
            (12, "which no specification defines"),
        ),
        case(
            "a requirement is dropped with all that bears on it",
            |bundle| {
                drop_requirement(bundle);
                let claim = "            <properties>\n                <property name=\"proves\" value=\"VP-001\"/>\n            \
                             </properties>\n        </testcase>";
                bundle.replace("tests.junit.xml", &format!(">\n{claim}"), "/>");
                bundle.edit_lines(CRYPTO, |lines| lines[2]["requirements"] = json!([]));
                bundle.put_in_order();
            },
            NOT_SIGNED,
            ALL_PROVEN,
        ),
        case("a mapped test is dropped", then(fewer_tests, Bundle::rehash), NOT_SIGNED, does_not_follow),
        case(
            "and everything but its claim",
            then(fewer_tests, Bundle::put_in_order),
            NOT_SIGNED,
            (12, "which the map does not say"),
        ),
        case("no GPU is needed", then(no_gpu_needed, Bundle::rehash), NOT_SIGNED, does_not_follow),
        case("and everything fits", then(no_gpu_needed, Bundle::put_in_order), NOT_SIGNED, ALL_PROVEN),
        case(
            "a claim is added",
            |bundle| {
                let claim = "                <property name=\"proves\" value=\"VP-001\"/>\n";
                bundle.replace("tests.junit.xml", claim, &format!("{}{claim}", claim.replace("VP-001", "CI-001")));
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (12, "policy weights_stay claimed CI-001, which the map does not say"),
        ),
        case(
            "a requirement is there twice",
            |bundle| {
                requirements(bundle, |file| file.requirements.push(file.requirements[0].clone()));
                bundle.put_in_order();
            },
            (20, "00§2.1 is there twice"),
            (20, "00§2.1 is there twice"),
        ),
    ]);
}

fn requirements(bundle: &Bundle, change: fn(&mut RequirementsFile)) {
    bundle.edit("requirements.json", change);
}

fn drop_requirement(bundle: &Bundle) {
    requirements(bundle, |file| {
        file.requirements.retain(|one| one.requirement.id != "VP-001");
        file.roll_ups.retain(|one| one.id != "VR-002");
    });
}
