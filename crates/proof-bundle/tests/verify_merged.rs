//! The verifier on merged bundles: every run is asked what the whole is asked, and what was changed is found.
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
mod runs;
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod tamper;

use std::fs;

use fixture::COMMIT;
use proof_bundle::attest::{PublicKey, SigningKey};
use proof_bundle::exit::Exit;
use proof_bundle::report::render_all;
use proof_bundle::verify::{Options, verify};
use runs::{Merged, Runs, on_a_gpu, tree};
use tamper::{PUBLIC, fails, sha256, trusting};

#[test]
fn nobody_vouches_for_an_unsigned_one_nor_for_one_with_an_unsigned_run() {
    let merged = Runs::cpu_and_gpu().merge();
    fails(&merged.verify(), Exit::NotTrusted, &["attestations/test-result.dsse.json", "no such statement"]);
    assert_eq!(verify(&merged.path, &Options::integrity_only()).exit(), Exit::Proven);
    let merged = Runs::new().signed(|_| {}).unsigned(on_a_gpu).merge().signed();
    fails(&merged.verify(), Exit::NotTrusted, &["inputs/", "no such statement"]);
}

#[test]
fn several_keys_are_trusted_each_for_what_it_signed_and_none_can_be_missing() {
    let other = SigningKey::generate().unwrap().0;
    let merged = Runs::new().signed(|_| {}).signed_by(&other, on_a_gpu).merge().signed();
    fails(&merged.verify(), Exit::NotTrusted, &["inputs/", "none of the keys given signed it"]);
    let ours = PublicKey::from_pem(PUBLIC).unwrap();
    let both = |keys: Vec<PublicKey>| verify(&merged.path, &Options { public_keys: keys, ..trusting() });
    assert_eq!(both(vec![ours, other.public_key()]).exit(), Exit::Proven);
    fails(&both(vec![other.public_key()]), Exit::NotTrusted, &["attestations/", "none of the keys"]);
    fails(&both(Vec::new()), Exit::NotTrusted, &["no key to trust was given"]);
}

#[test]
fn commit_nonce_and_age_are_asked_of_every_run() {
    let merged = Runs::new()
        .signed(|fixture| fixture.nonce = Some("7f3a".to_owned()))
        .signed(|fixture| fixture.nonce = Some("other".to_owned()))
        .merge()
        .signed();
    let ask = |options: Options| verify(&merged.path, &options);
    assert_eq!(ask(Options { commit: Some(COMMIT.to_owned()), ..trusting() }).exit(), Exit::Proven);
    let other = Some("1".repeat(40));
    fails(&ask(Options { commit: other, ..trusting() }), Exit::OtherCommit, &["inputs/", "provenance.json"]);
    let nonce = Some("7f3a".to_owned());
    fails(&ask(Options { nonce, ..trusting() }), Exit::Stale, &["inputs/", "another nonce"]);
    let max_age = Some(std::time::Duration::from_secs(60));
    fails(&ask(Options { max_age, ..trusting() }), Exit::Stale, &["inputs/", "ago"]);
}

#[test]
fn an_input_that_was_changed_is_found_however_well_it_was_put_in_order() {
    let change = |merged: &Merged| {
        let seeds = merged.input(0).join("seeds.txt");
        merged.replace(&seeds, "42", "43");
    };
    let merged = Runs::cpu_and_gpu().merge().signed();
    change(&merged);
    fails(&merged.verify(), Exit::NotIntact, &["inputs/", "seeds.txt"]);
    // The outer list fits again: the input's own does not.
    merged.rehash();
    fails(&merged.verify(), Exit::NotIntact, &["inputs/", "seeds.txt"]);
    merged.resign();
    fails(&merged.verify(), Exit::NotIntact, &["inputs/", "seeds.txt"]);
    // The input's own list fits as well: its signature does not.
    let sums = merged.input(0).join("SHA256SUMS");
    let (old, new) = (sha256(b"42\n"), sha256(b"43\n"));
    merged.replace(&sums, &old, &new);
    merged.rehash();
    merged.resign();
    fails(&merged.verify(), Exit::NotTrusted, &["inputs/", "another SHA256SUMS"]);
}

#[test]
fn a_status_that_was_edited_is_found_even_when_hashed_and_signed_again() {
    let lied = |hash: fn(&Merged)| {
        let merged = Runs::new().signed(|_| {}).signed(|_| {}).merge().signed();
        let coverage = merged.path.join("coverage.json");
        merged.replace(
            &coverage,
            "\"status\": \"needs_gpu\",\n      \"decided_by\"",
            "\"status\": \"proven\",\n      \"decided_by\"",
        );
        hash(&merged);
        merged
    };
    fails(&lied(|_| {}).verify(), Exit::NotIntact, &["coverage.json", "SHA-256"]);
    fails(&lied(Merged::rehash).verify(), Exit::NotTrusted, &["another SHA256SUMS"]);
    let signed = lied(|merged| {
        for (name, text) in render_all(&merged.path).unwrap() {
            fs::write(merged.path.join(name), text).unwrap();
        }
        merged.rehash();
        merged.resign();
    });
    fails(&signed.verify(), Exit::NotDerived, &["coverage.json", "VP-001 is needs a GPU and not proven"]);
    assert_eq!(verify(&signed.path, &Options::integrity_only()).exit(), Exit::NotDerived);
}

#[test]
fn a_run_that_was_dropped_or_added_is_found_even_when_hashed_and_signed_again() {
    let three = || Runs::cpu_and_gpu().signed(|_| {});
    let drop_one = |merged: &Merged| fs::remove_dir_all(merged.input(2)).unwrap();
    let merged = three().merge().signed();
    drop_one(&merged);
    fails(&merged.verify(), Exit::NotIntact, &["SHA256SUMS", "no such file"]);
    merged.rehash();
    fails(&merged.verify(), Exit::NotTrusted, &["another SHA256SUMS"]);
    fails(&verify(&merged.path, &Options::integrity_only()), Exit::NotDerived, &["merge.json", "follow"]);

    let runs = three();
    let third = runs.bundles[2].clone();
    let merged = Runs { bundles: runs.bundles[..2].to_vec(), ..runs }.merge().signed();
    let target = merged.path.join("inputs").join(third.file_name().unwrap());
    for (name, bytes) in tree(&third) {
        fs::create_dir_all(target.join(&name).parent().unwrap()).unwrap();
        fs::write(target.join(name), bytes).unwrap();
    }
    fails(&merged.verify(), Exit::NotIntact, &["inputs/", "does not list it"]);
    merged.rehash();
    fails(&merged.verify(), Exit::NotTrusted, &["another SHA256SUMS"]);
    merged.resign();
    fails(&merged.verify(), Exit::NotDerived, &["merge.json", "follow"]);
}

#[test]
fn attestations_of_a_run_that_were_stripped_are_found() {
    let merged = Runs::cpu_and_gpu().merge().signed();
    fs::remove_dir_all(merged.input(1).join("attestations")).unwrap();
    fails(&merged.verify(), Exit::NotIntact, &["SHA256SUMS", "no such file"]);
    merged.rehash();
    merged.resign();
    fails(&merged.verify(), Exit::NotTrusted, &["inputs/", "no such statement"]);
}

#[test]
fn links_foreign_entries_and_paths_are_found() {
    let with = |change: fn(&Merged)| {
        let merged = Runs::cpu_and_gpu().merge().signed();
        change(&merged);
        merged.verify()
    };
    fails(&with(|merged| fs::write(merged.path.join("more.txt"), "").unwrap()), Exit::NotIntact, &["more.txt"]);
    fails(&with(|merged| fs::create_dir(merged.path.join("inputs/x")).unwrap()), Exit::NotIntact, &["inputs/x"]);
    fails(&with(|merged| fs::write(merged.path.join("inputs/x"), "").unwrap()), Exit::NotIntact, &["no directory"]);
    let outside = |merged: &Merged| {
        let place = merged.path.with_file_name("outside");
        fs::rename(merged.input(1), &place).unwrap();
        std::os::unix::fs::symlink(&place, merged.input(1)).unwrap();
    };
    fails(&with(outside), Exit::NotIntact, &["inputs/", "no directory"]);
    let nested = |merged: &Merged| fs::write(merged.input(1).join("merge.json"), "{}").unwrap();
    fails(&with(nested), Exit::NotIntact, &["inputs/", "is a merged bundle"]);
    let no_inputs = |merged: &Merged| fs::remove_dir_all(merged.path.join("inputs")).unwrap();
    fails(&with(no_inputs), Exit::NotIntact, &["inputs", "no such directory"]);
    let listed_elsewhere = |merged: &Merged| {
        let run = format!("\"run_id\": \"{}\",\n      \"sha256sums", merged.coverage.runs[1].run_id);
        merged.replace(&merged.path.join("merge.json"), &run, "\"run_id\": \"../../../etc\",\n      \"sha256sums");
        merged.rehash();
    };
    fails(&with(listed_elsewhere), Exit::NotIntact, &["merge.json"]);
    // A merged bundle that pretends to be none is no bundle of a run either.
    let plain = |merged: &Merged| fs::remove_file(merged.path.join("merge.json")).unwrap();
    fails(&with(plain), Exit::NotIntact, &["inputs"]);
}

#[test]
fn runs_that_are_too_large_together_are_refused_unread() {
    for (name, bytes) in [("performance.jsonl", 5_u64 << 30), ("coverage.json", 300 << 20)] {
        let merged = Runs::cpu_and_gpu().merge().signed();
        let file = merged.input(1).join(name);
        fs::File::options().write(true).open(file).unwrap().set_len(bytes).unwrap();
        fails(&merged.verify(), Exit::NotIntact, &["inputs", "refused unread"]);
    }
}
