//! The generator of the project's first document, kept as it was written but for its imports, the folder it writes to and
//! two files instead of one: what it calls must go on working, and what it says of itself must count for nothing.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(
    unexpected_cfgs,
    unused_mut,
    clippy::useless_vec,
    reason = "the first document's code is kept as it was written"
)]

mod first_document {
    pub(crate) mod reports;
}

use std::time::Instant;

use chrono::Utc;
use proof_bundle::records::{self, Class};
use proof_bundle::{ProofBundle, TestType};
use vram_residency::VramManager;

use first_document::reports;

/// The files that the first document lists, by name.
const FILES: [&str; 11] = [
    "metadata.json",
    "crypto_validation.jsonl",
    "policy_enforcement.jsonl",
    "cuda_operations.jsonl",
    "bounds_checking.jsonl",
    "input_validation.jsonl",
    "performance.jsonl",
    "test_report.md",
    "spec_coverage.md",
    "compliance_matrix.md",
    "seeds.txt",
];

#[test]
fn generate_comprehensive_proof_bundle() -> anyhow::Result<()> {
    evidence::needs!("git");
    let folder = tempfile::tempdir()?;
    let pb = ProofBundle::for_type_in(folder.path(), TestType::Unit)?;

    // === METADATA ===
    write_metadata(&pb)?;

    // === EVIDENCE GENERATION ===
    test_crypto_validation(&pb)?;
    test_policy_enforcement(&pb)?;
    test_cuda_operations(&pb)?;
    test_bounds_checking(&pb)?;
    test_input_validation(&pb)?;
    test_performance(&pb)?;

    // === HUMAN-READABLE REPORTS ===
    reports::generate_test_report(&pb)?;
    reports::generate_spec_coverage(&pb)?;
    reports::generate_compliance_matrix(&pb)?;

    // === PROVENANCE ===
    pb.seeds().record(42)?;

    println!("\n✅ Comprehensive proof bundle generated at: {}", pb.root().display());
    counts_for_nothing(&pb)
}

// === METADATA ===

fn write_metadata(pb: &ProofBundle) -> anyhow::Result<()> {
    pb.write_json(
        "metadata",
        &serde_json::json!({
            "crate": "vram-residency",
            "version": env!("CARGO_PKG_VERSION"),
            "git_sha": option_env!("GIT_SHA").unwrap_or("unknown"),
            "test_mode": test_mode(),
            "timestamp": Utc::now().to_rfc3339(),
            "environment": {
                "os": std::env::consts::OS,
                "arch": std::env::consts::ARCH,
                "rust_version": rustc_version(),
                "cuda_available": cfg!(feature = "cuda"),
            },
            "gpu_devices": detect_gpus(),
        }),
    )?;
    Ok(())
}

// === CRYPTO VALIDATION ===

fn test_crypto_validation(pb: &ProofBundle) -> anyhow::Result<()> {
    let mut manager = VramManager::new();

    // Test 1: Basic seal operation
    let model_data = vec![0x42u8; 1_000_000]; // 1MB
    let start = Instant::now();
    let shard = manager.seal_model(&model_data, 0)?;
    let seal_duration = start.elapsed();

    pb.append_ndjson(
        "crypto_validation",
        &serde_json::json!({
            "test": "seal_operation",
            "status": "pass",
            "model_size_bytes": 1_000_000,
            "shard_id": shard.shard_id,
            "vram_bytes": shard.vram_bytes,
            "gpu_device": shard.gpu_device,
            "digest": shard.digest,
            "digest_algorithm": "SHA-256",
            "signature_present": shard.signature().is_some(),
            "signature_algorithm": "HMAC-SHA256",
            "seal_duration_ms": seal_duration.as_millis(),
            "timestamp": Utc::now().to_rfc3339(),
            "explanation": "Cryptographically sealed 1MB model in VRAM with HMAC-SHA256",
            "security_property": "integrity_protection",
            "threat_coverage": ["model_corruption", "unauthorized_modification"],
        }),
    )?;

    // Test 2: Seal verification (timing-safe)
    let start = Instant::now();
    let verify_result = manager.verify_sealed(&shard);
    let verify_duration = start.elapsed();

    pb.append_ndjson(
        "crypto_validation",
        &serde_json::json!({
            "test": "seal_verification",
            "status": if verify_result.is_ok() { "pass" } else { "fail" },
            "shard_id": shard.shard_id,
            "verification_method": "timing_safe_comparison",
            "verify_duration_ms": verify_duration.as_millis(),
            "timestamp": Utc::now().to_rfc3339(),
            "explanation": "Verified seal integrity using timing-safe HMAC comparison",
            "security_property": "tamper_detection",
            "threat_coverage": ["timing_attacks", "seal_forgery"],
        }),
    )?;

    // Test 3: Tamper detection
    let mut tampered = shard.clone();
    let original_digest = tampered.digest.clone();
    tampered.digest = "0".repeat(64);
    let tamper_result = manager.verify_sealed(&tampered);

    pb.append_ndjson(
        "crypto_validation",
        &serde_json::json!({
            "test": "tamper_detection",
            "status": if tamper_result.is_err() { "pass" } else { "fail" },
            "shard_id": shard.shard_id,
            "original_digest": &original_digest[..16],
            "tampered_digest": &tampered.digest[..16],
            "correctly_rejected": tamper_result.is_err(),
            "error": format!("{:?}", tamper_result.err()),
            "timestamp": Utc::now().to_rfc3339(),
            "explanation": "Attempted to verify tampered digest, correctly rejected",
            "security_property": "integrity_enforcement",
            "threat_coverage": ["digest_manipulation", "seal_bypass"],
        }),
    )?;

    // Test 4: Multiple seals with unique digests
    let data1 = vec![0x11u8; 1024];
    let data2 = vec![0x22u8; 1024];
    let shard1 = manager.seal_model(&data1, 0)?;
    let shard2 = manager.seal_model(&data2, 0)?;

    pb.append_ndjson(
        "crypto_validation",
        &serde_json::json!({
            "test": "unique_digests",
            "status": if shard1.digest != shard2.digest { "pass" } else { "fail" },
            "shard1_id": shard1.shard_id,
            "shard2_id": shard2.shard_id,
            "shard1_digest": &shard1.digest[..16],
            "shard2_digest": &shard2.digest[..16],
            "digests_differ": shard1.digest != shard2.digest,
            "timestamp": Utc::now().to_rfc3339(),
            "explanation": "Different model data produces different digests (collision resistance)",
            "security_property": "digest_uniqueness",
            "threat_coverage": ["collision_attacks", "digest_reuse"],
        }),
    )?;

    // Test 5: Deterministic digests
    let data = vec![0x42u8; 1024];
    let shard_a = manager.seal_model(&data, 0)?;
    let shard_b = manager.seal_model(&data, 0)?;

    pb.append_ndjson(
        "crypto_validation",
        &serde_json::json!({
            "test": "deterministic_digests",
            "status": if shard_a.digest == shard_b.digest { "pass" } else { "fail" },
            "shard_a_id": shard_a.shard_id,
            "shard_b_id": shard_b.shard_id,
            "shard_a_digest": &shard_a.digest[..16],
            "shard_b_digest": &shard_b.digest[..16],
            "digests_match": shard_a.digest == shard_b.digest,
            "timestamp": Utc::now().to_rfc3339(),
            "explanation": "Same model data produces same digest (determinism)",
            "security_property": "digest_determinism",
            "threat_coverage": ["non_deterministic_behavior"],
        }),
    )?;

    Ok(())
}

// === POLICY ENFORCEMENT ===

fn test_policy_enforcement(pb: &ProofBundle) -> anyhow::Result<()> {
    // Test 1: VRAM-only policy check
    pb.append_ndjson(
        "policy_enforcement",
        &serde_json::json!({
            "test": "vram_only_policy",
            "status": "pass",
            "policy": "vram_only",
            "gpu_device": 0,
            "check": "no_unified_memory",
            "result": "enforced",
            "timestamp": Utc::now().to_rfc3339(),
            "explanation": "Verified GPU does not use unified memory architecture",
            "security_property": "vram_isolation",
            "threat_coverage": ["host_memory_paging", "cpu_access"],
        }),
    )?;

    // Test 2: GPU device validation
    pb.append_ndjson(
        "policy_enforcement",
        &serde_json::json!({
            "test": "gpu_device_validation",
            "status": "pass",
            "gpu_device": 0,
            "check": "device_properties",
            "result": "valid",
            "timestamp": Utc::now().to_rfc3339(),
            "explanation": "Validated GPU device properties meet requirements",
            "security_property": "device_validation",
            "threat_coverage": ["invalid_device", "unsupported_hardware"],
        }),
    )?;

    Ok(())
}

// === CUDA OPERATIONS ===

fn test_cuda_operations(pb: &ProofBundle) -> anyhow::Result<()> {
    let mut manager = VramManager::new();

    // Test 1: VRAM allocation
    let data = vec![0x42u8; 2_000_000]; // 2MB
    let start = Instant::now();
    let shard = manager.seal_model(&data, 0)?;
    let alloc_duration = start.elapsed();

    pb.append_ndjson(
        "cuda_operations",
        &serde_json::json!({
            "operation": "vram_allocation",
            "status": "success",
            "requested_bytes": 2_000_000,
            "allocated_bytes": shard.vram_bytes,
            "gpu_device": shard.gpu_device,
            "shard_id": shard.shard_id,
            "duration_ms": alloc_duration.as_millis(),
            "timestamp": Utc::now().to_rfc3339(),
            "explanation": "Allocated 2MB in VRAM for model shard",
        }),
    )?;

    // Test 2: Multiple allocations
    let mut shards = vec![shard];
    for i in 1..5 {
        let data = vec![(i * 10) as u8; 500_000]; // 500KB each
        let shard = manager.seal_model(&data, 0)?;
        shards.push(shard);
    }

    let total_vram: usize = shards.iter().map(|s| s.vram_bytes).sum();

    pb.append_ndjson(
        "cuda_operations",
        &serde_json::json!({
            "operation": "multiple_allocations",
            "status": "success",
            "allocation_count": shards.len(),
            "total_vram_bytes": total_vram,
            "shard_ids": shards.iter().map(|s| &s.shard_id).collect::<Vec<_>>(),
            "timestamp": Utc::now().to_rfc3339(),
            "explanation": format!("Successfully allocated {} shards totaling {} bytes", shards.len(), total_vram),
        }),
    )?;

    Ok(())
}

// === BOUNDS CHECKING ===

fn test_bounds_checking(pb: &ProofBundle) -> anyhow::Result<()> {
    let mut manager = VramManager::new();

    // Test 1: Zero size rejection
    let empty_data = vec![];
    let result = manager.seal_model(&empty_data, 0);

    pb.append_ndjson(
        "bounds_checking",
        &serde_json::json!({
            "test": "zero_size_rejection",
            "status": if result.is_err() { "pass" } else { "fail" },
            "input_size": 0,
            "rejected": result.is_err(),
            "error": format!("{:?}", result.err()),
            "timestamp": Utc::now().to_rfc3339(),
            "explanation": "Correctly rejected zero-size model allocation",
            "security_property": "input_validation",
            "threat_coverage": ["invalid_input", "dos_via_zero_size"],
        }),
    )?;

    // Test 2: Large allocation handling
    let large_data = vec![0x42u8; 10 * 1024 * 1024]; // 10MB
    let result = manager.seal_model(&large_data, 0);

    pb.append_ndjson(
        "bounds_checking",
        &serde_json::json!({
            "test": "large_allocation",
            "status": "pass", // Pass regardless of success/failure (just verify no panic)
            "input_size": 10 * 1024 * 1024,
            "result": if result.is_ok() { "allocated" } else { "rejected_gracefully" },
            "timestamp": Utc::now().to_rfc3339(),
            "explanation": "Large allocation handled gracefully (no panic)",
            "security_property": "graceful_degradation",
            "threat_coverage": ["dos_via_large_allocation", "panic_on_oom"],
        }),
    )?;

    Ok(())
}

// === INPUT VALIDATION ===

fn test_input_validation(pb: &ProofBundle) -> anyhow::Result<()> {
    let mut manager = VramManager::new();

    // Test 1: Zero size blocked
    let result = manager.seal_model(&[], 0);
    pb.append_ndjson(
        "input_validation",
        &serde_json::json!({
            "test": "zero_size_blocked",
            "status": if result.is_err() { "pass" } else { "fail" },
            "blocked": result.is_err(),
            "timestamp": Utc::now().to_rfc3339(),
        }),
    )?;

    // Test 2: Valid input accepted
    let result = manager.seal_model(&vec![0x42u8; 1024], 0);
    pb.append_ndjson(
        "input_validation",
        &serde_json::json!({
            "test": "valid_input_accepted",
            "status": if result.is_ok() { "pass" } else { "fail" },
            "accepted": result.is_ok(),
            "timestamp": Utc::now().to_rfc3339(),
        }),
    )?;

    Ok(())
}

// === PERFORMANCE ===

fn test_performance(pb: &ProofBundle) -> anyhow::Result<()> {
    let mut manager = VramManager::new();
    let data = vec![0x42u8; 1_000_000]; // 1MB

    // Measure seal operation
    let start = Instant::now();
    let shard = manager.seal_model(&data, 0)?;
    let seal_time = start.elapsed();

    // Measure verification
    let start = Instant::now();
    manager.verify_sealed(&shard)?;
    let verify_time = start.elapsed();

    pb.append_ndjson(
        "performance",
        &serde_json::json!({
            "operation": "seal_and_verify",
            "model_size_bytes": 1_000_000,
            "seal_duration_ms": seal_time.as_millis(),
            "verify_duration_ms": verify_time.as_millis(),
            "total_duration_ms": (seal_time + verify_time).as_millis(),
            "timestamp": Utc::now().to_rfc3339(),
        }),
    )?;

    Ok(())
}

// === HELPER FUNCTIONS ===

fn test_mode() -> &'static str {
    if cfg!(feature = "cuda") { "Real GPU VRAM" } else { "Mock VRAM" }
}

fn rustc_version() -> String {
    option_env!("RUSTC_VERSION").unwrap_or("unknown").to_string()
}

fn detect_gpus() -> Vec<serde_json::Value> {
    vec![serde_json::json!({
        "device": 0,
        "name": "Mock GPU",
        "vram_mb": 8192,
    })]
}

// === WHAT IT COUNTS FOR ===

/// Every file is there under its name, and every line and report is marked as declared, whatever status it claims.
fn counts_for_nothing(pb: &ProofBundle) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(pb.root())? {
        files.push(entry?.file_name().to_string_lossy().into_owned());
    }
    files.sort();
    let mut expected = FILES.to_vec();
    expected.sort();
    assert_eq!(files, expected);

    let (records, problems) = records::read(pb.root(), pb.run_id());
    let text: String = FILES
        .iter()
        .filter(|file| file.ends_with(".jsonl"))
        .map(|file| std::fs::read_to_string(pb.root().join(file)).unwrap())
        .collect();
    assert_eq!((records.len(), text.lines().count()), (14, 14), "every line is a record");
    assert!(text.contains(r#""status":"pass""#), "it claims statuses");
    for record in &records {
        assert_eq!(record.class, Class::Declared, "{}", record.location);
        assert!(record.requirements.is_empty() && !record.holds, "{}", record.location);
    }
    // The reader misses observed records in each file, and has nothing else to say.
    assert_eq!(problems.len(), 6, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.ends_with(": no observed record")), "{problems:?}");

    let metadata: serde_json::Value = serde_json::from_slice(&std::fs::read(pb.root().join("metadata.json"))?)?;
    assert_eq!(metadata["class"], "declared");
    for report in FILES.iter().filter(|file| file.ends_with(".md")) {
        let text = std::fs::read_to_string(pb.root().join(report))?;
        let mut lines = text.lines().filter(|line| !line.is_empty());
        assert_eq!(lines.next(), Some("# AUTOGENERATED: Proof Bundle"), "{report}");
        assert!(lines.next().is_some_and(|line| line.contains("Class: declared")), "{report}");
    }
    assert_eq!(std::fs::read_to_string(pb.root().join("seeds.txt"))?, "42\n");
    Ok(())
}
