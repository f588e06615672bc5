//! Bundles that say the same in other bytes, and directories that hold something else than the files of a bundle. The hashes
//! are put in order each time: what is found is found by its form.
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

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

use proof_bundle::attest::{DIRECTORY, RESIDENCY, TEST_RESULT};
use tamper::case::{Answer, CONSISTENT, Case, HASH, NOT_SIGNED, case, check, rich};
use tamper::{Bundle, STREAMS, names, sha256, verifier};

const SUMS: &str = "SHA256SUMS";
const JUNIT: &str = "tests.junit.xml";

/// A case that both hear the same of.
fn same(name: impl Into<String>, change: impl Fn(&Bundle) + 'static, answer: Answer) -> Case {
    case(name, change, answer, answer)
}

/// Every file of the bundle, those of attestations as `attestations/name`.
fn files() -> Vec<String> {
    let bundle = rich();
    let mut files = names(&bundle.path);
    files.retain(|name| name != DIRECTORY);
    files.extend([TEST_RESULT, RESIDENCY].map(|name| format!("{DIRECTORY}/{name}")));
    files
}

/// What becomes of a file's bytes.
type Change = fn(Vec<u8>) -> Vec<u8>;

/// Changes the bytes of a file, and the hashes if `rehash`.
fn bytes(name: &str, rehash: bool, change: Change) -> impl Fn(&Bundle) + use<> {
    let name = name.to_owned();
    move |bundle| {
        let old = fs::read(bundle.file(&name)).unwrap();
        let new = change(old.clone());
        assert_ne!(old, new, "{name}");
        bundle.write(&name, new);
        if rehash && name != SUMS {
            bundle.rehash();
        }
    }
}

/// A report is no data: any bytes may be hashed, and they are not what the files render to.
fn is_report(name: &str) -> bool {
    [".md", ".html"].iter().any(|suffix| name.ends_with(suffix))
}

#[test]
fn every_file_is_hashed() {
    let mut cases = Vec::new();
    for name in files() {
        let answer = if name == SUMS || name.starts_with(DIRECTORY) { (20, name_of(&name)) } else { HASH };
        cases.push(same(format!("a byte of {name}"), bytes(&name, false, flip), answer));
        cases.push(same(format!("{name} is cut off"), bytes(&name, false, cut), answer));
        cases.push(same(
            format!("{name} is longer"),
            bytes(&name, false, |bytes| [bytes, vec![b'\n']].concat()),
            answer,
        ));
        let empty = bytes(&name, false, |_| Vec::new());
        cases.push(same(format!("{name} is empty"), empty, (20, name_of(&name))));
        let gone = if name.starts_with(DIRECTORY) { (21, "there is no such statement") } else { (20, "missing") };
        let alone = if name.starts_with(DIRECTORY) { CONSISTENT } else { (20, "missing") };
        // What a run may lack is in the list of hashes.
        let optional = ["mutants.json", "code_coverage.json"].contains(&name.as_str()) || is_report(&name);
        let (gone, alone) = if optional { ((20, "no such file"), (20, "no such file")) } else { (gone, alone) };
        let file = name.clone();
        let remove = move |bundle: &Bundle| fs::remove_file(bundle.file(&file)).unwrap();
        cases.push(case(format!("{name} is not there"), remove, gone, alone));
    }
    check(&cases);
}

/// A constant for a name of a file, as answers hold them.
fn name_of(name: &str) -> &'static str {
    match name {
        SUMS => SUMS,
        name if name.starts_with(DIRECTORY) => "attestations/",
        _ => "",
    }
}

/// The first byte: of base64 another one may change what is signed as well.
fn flip(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[0] ^= 1;
    bytes
}

fn cut(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 1);
    bytes
}

#[test]
fn each_file_has_one_form() {
    let mut cases = Vec::new();
    let forms: [(&str, Change); 6] = [
        ("CRLF", |bytes| String::from_utf8(bytes).unwrap().replace('\n', "\r\n").into_bytes()),
        ("a byte order mark", |bytes| ["\u{feff}".as_bytes(), &bytes].concat()),
        ("a NUL at the end", |bytes| [bytes, vec![0]].concat()),
        ("a blank line at the end", |bytes| [bytes, vec![b'\n']].concat()),
        ("bytes that are no UTF-8", |bytes| [&bytes[..bytes.len() - 1], &[0xff, b'\n']].concat()),
        ("no newline at the end", cut),
    ];
    for name in files() {
        for (what, change) in forms {
            let change = bytes(&name, true, change);
            let title = format!("{what}: {name}");
            cases.push(if is_report(&name) {
                case(title, change, NOT_SIGNED, (22, "it is not what the files beside it render to"))
            } else if what == "no newline at the end" && name == JUNIT {
                same(title, change, (20, JUNIT))
            } else {
                same(title, change, (20, ""))
            });
        }
    }
    check(&cases);
}

/// Replaces the first `old` in a file and hashes again.
fn replace(name: &str, old: &'static str, new: &'static str) -> impl Fn(&Bundle) + use<> {
    let name = name.to_owned();
    move |bundle| {
        bundle.replace(&name, old, new);
        if name != SUMS {
            bundle.rehash();
        }
    }
}

#[test]
fn json_has_one_form() {
    let residency = format!("{DIRECTORY}/{RESIDENCY}");
    let form = (20, "not in the one form");
    let envelope = (20, "envelope");
    let json = (20, "it is not the JSON that it should be");
    check(&[
        same(
            "a member twice",
            replace("provenance.json", "\"dirty\": false,", "\"dirty\": false,\n  \"dirty\": false,"),
            json,
        ),
        same("a member of a record twice", replace(STREAMS[2], "{\"binary\"", "{\"binary\":\"x\",\"binary\""), form),
        same("a member more", replace("provenance.json", "\"dirty\": false,", "\"dirty\": false,\n  \"x\": 1,"), form),
        same("a member more in mutants.json", replace("mutants.json", "\"dirty\"", "\"x\": 1, \"dirty\""), json),
        same(
            "members in another order",
            replace(
                STREAMS[2],
                "{\"binary\":\"live\",\"class\":\"observed\"",
                "{\"class\":\"observed\",\"binary\":\"live\"",
            ),
            form,
        ),
        same("1.0 for 1", replace(STREAMS[2], "\"seq\":1", "\"seq\":1.0"), (20, "`seq` is no number")),
        same("1e0 for 1", replace(STREAMS[2], "\"seq\":1", "\"seq\":1e0"), (20, "`seq` is no number")),
        same("1e6 for 1000000", replace(STREAMS[5], "1000000", "1e6"), form),
        same("-0 for 0", replace("provenance.json", "\"index\": 0", "\"index\": -0"), (20, "provenance.json")),
        same("a number beyond 64 bits", replace("provenance.json", "8589934592", "18446744073709551616"), json),
        same("an infinite number", replace(STREAMS[5], "1000000", "1e999"), (20, "not JSON")),
        same("NaN", replace(STREAMS[5], "1000000", "NaN"), (20, "not JSON")),
        same("another escape", replace("requirements.json", "\"product\"", "\"p\\u0072oduct\""), form),
        same("an escape in a record", replace(STREAMS[2], "\"live\"", "\"l\\u0069ve\""), form),
        same("an escaped slash", replace("metadata.json", "/dev/", "\\/dev\\/"), form),
        same("half of a surrogate pair", replace(STREAMS[2], "\"live\"", "\"\\ud800\""), (20, "not JSON")),
        same("a control character in a string", replace("metadata.json", "/dev/", "\u{1}"), json),
        same("an entity in XML", replace(JUNIT, "unmapped", "&#117;nmapped"), form),
        same("a comment in XML", replace(JUNIT, "<testsuites ", "<!-- all passed --><testsuites "), form),
        same("CDATA in XML", replace(JUNIT, "</testsuites>", "<![CDATA[x]]></testsuites>"), form),
        same("a trailing comma", replace("metadata.json", "\n}\n", ",\n}\n"), json),
        same("two values in a file", replace("metadata.json", "\n}\n", "\n}\n{}\n"), json),
        same("a space in an envelope", replace(&residency, "{\"payloadType\"", "{ \"payloadType\""), envelope),
        same("the other alphabet in an envelope", url_safe, (20, "not in its canonical form")),
        same("no padding in an envelope", replace(&residency, "==\"}]}", "\"}]}"), (20, "not base64")),
        same(
            "a member more in an envelope",
            replace(&residency, "{\"payloadType\"", "{\"x\":1,\"payloadType\""),
            envelope,
        ),
        same(
            "a member twice in an envelope",
            replace(&residency, "{\"payloadType\"", "{\"payload\":\"\",\"payloadType\""),
            envelope,
        ),
        same("no signature in an envelope", |bundle| signatures(bundle, |_| String::new()), envelope),
        same("two signatures in an envelope", |bundle| signatures(bundle, |one| format!("{one},{one}")), envelope),
        same("another type of payload", replace(&residency, "in-toto+json", "in-toto"), (20, "its payload is of type")),
        same("a key id in capitals", capital_key_id, (20, "keyid")),
        case("a key id of another key", replace_key_id, (20, "keyid"), CONSISTENT),
    ]);
}

fn residency() -> String {
    format!("{DIRECTORY}/{RESIDENCY}")
}

fn url_safe(bundle: &Bundle) {
    let old = bundle.read(&residency());
    let (head, rest) = old.split_once("\"payload\":\"").unwrap();
    let (payload, tail) = rest.split_once('"').unwrap();
    let other = payload.replace('+', "-").replace('/', "_");
    assert_ne!(payload, other);
    bundle.write(&residency(), format!("{head}\"payload\":\"{other}\"{tail}"));
}

fn signatures(bundle: &Bundle, change: fn(&str) -> String) {
    let text = bundle.read(&residency());
    let (head, rest) = text.split_once("\"signatures\":[").unwrap();
    let one = rest.strip_suffix("]}\n").unwrap();
    bundle.write(&residency(), format!("{head}\"signatures\":[{}]}}\n", change(one)));
}

fn key_id(bundle: &Bundle) -> String {
    let text = bundle.read(&residency());
    text.split_once("\"keyid\":\"").unwrap().1.split_once('"').unwrap().0.to_owned()
}

fn capital_key_id(bundle: &Bundle) {
    let old = key_id(bundle);
    bundle.replace(&residency(), &old, &old.to_uppercase());
}

fn replace_key_id(bundle: &Bundle) {
    bundle.replace(&residency(), &key_id(bundle), &"0".repeat(64));
}

/// Writes another list of hashes made of the one that is there.
fn sums(change: impl Fn(String) -> String) -> impl Fn(&Bundle) {
    move |bundle| bundle.write(SUMS, change(bundle.read(SUMS)))
}

/// Adds a line to the list, in its place.
fn line_more(line: String) -> impl Fn(&Bundle) {
    sums(move |text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).chain([line.clone()]).collect();
        lines.sort_by(|one, other| one[64..].cmp(&other[64..]));
        lines.iter().map(|line| format!("{line}\n")).collect()
    })
}

#[test]
fn the_list_of_hashes_has_one_form_and_stays_in_the_bundle() {
    let form = (20, "SHA256SUMS");
    let lists = (20, "it lists");
    let outside =
        |name: &str| same(format!("it lists {name:?}"), line_more(format!("{}  {name}", sha256(b"x"))), lists);
    let attested = |bundle: &Bundle| {
        let digest = sha256(&fs::read(bundle.file(&residency())).unwrap());
        line_more(format!("{digest}  {}", residency()))(bundle);
    };
    check(&[
        same("hexadecimal in capitals", sums(|text| text.to_uppercase()), form),
        same("one digit in capitals", sums(|text| text.replacen('a', "A", 1)), form),
        same("another order", sums(|text| text.lines().rev().map(|line| format!("{line}\n")).collect()), form),
        same("a star for binary", sums(|text| text.replacen("  ", " *", 1)), form),
        same("a star for every file", sums(|text| text.replace("  ", " *")), form),
        same("one space", sums(|text| text.replacen("  ", " ", 1)), form),
        same("three spaces", sums(|text| text.replacen("  ", "   ", 1)), lists),
        same("an escaped name", sums(|text| format!("\\{text}")), form),
        same("the form of BSD", sums(|text| text.replacen("  seeds.txt", "", 1) + "SHA256 (seeds.txt) = 00\n"), form),
        same("a comment", sums(|text| format!("# all is well\n{text}")), form),
        same("a line twice", sums(|text| format!("{}\n{text}", text.lines().next().unwrap())), form),
        same(
            "a file less",
            sums(|text| text.lines().skip(1).map(|line| format!("{line}\n")).collect()),
            (20, "does not list it"),
        ),
        same("itself", line_more(format!("{}  {SUMS}", "0".repeat(64))), (20, "which no list of hashes can hold")),
        same("a statement", attested, (20, "which no list of hashes can hold")),
        outside("../seeds.txt"),
        outside("../../../../../../etc/passwd"),
        outside("/etc/passwd"),
        outside("./seeds.txt"),
        outside("attestations/../seeds.txt"),
        outside("attestations/../../seeds.txt"),
        outside("inputs/x/seeds.txt"),
        outside("seeds.txt "),
        outside("seeds.txt\u{0}"),
        outside("-"),
        outside("\u{1b}[2J"),
    ]);
}

#[test]
fn a_bundle_holds_the_files_of_a_bundle_and_nothing_else() {
    let name = (20, "no file of a bundle has such a name");
    let add = |name: &'static str, answer| {
        let write = move |bundle: &Bundle| {
            bundle.write(name, "x");
            bundle.rehash();
        };
        same(format!("{:?} is added", name), write, answer)
    };
    let folder = |bundle: &Bundle| fs::create_dir(bundle.file("inputs")).unwrap();
    check(&[
        add("notes.txt", name),
        add(".hidden", name),
        add("c\u{43e}verage.json", name),
        add("coverage.json ", name),
        add("Coverage.json", name),
        add("coverage\u{301}.json", name),
        add("coverage.json\u{200b}", name),
        add("SHA256SUMS.sig", name),
        add("image.svg", name),
        add("sha256sums", name),
        add("a\nb", name),
        same("attestations/third.dsse.json is added", |bundle| bundle.write("attestations/third.dsse.json", "x"), name),
        same("a directory is added", folder, name),
        same(
            "a file is renamed",
            |bundle| fs::rename(bundle.file("seeds.txt"), bundle.file("Seeds.txt")).unwrap(),
            (20, "missing"),
        ),
        case("a hard link", hard_link, CONSISTENT, CONSISTENT),
        same("a link to a file of the bundle", link("seeds.txt", "metadata.json"), (20, "symbolic link")),
        same("a link out of the bundle", link("seeds.txt", "../seeds.txt"), (20, "symbolic link")),
        same("a link to a device", link("seeds.txt", "/dev/zero"), (20, "symbolic link")),
        same("a link to itself", link("seeds.txt", "seeds.txt"), (20, "symbolic link")),
        same("a link to nothing", link("seeds.txt", "nowhere"), (20, "symbolic link")),
        same("a link for a list of hashes", link(SUMS, "../SHA256SUMS"), (20, "symbolic link")),
        same(
            "a link for a statement",
            link("attestations/residency.dsse.json", "../../residency"),
            (20, "symbolic link"),
        ),
        same("a link for the directory of statements", linked_directory, (20, "symbolic link")),
        same("a file for the directory of statements", file_for_directory, (20, "no directory")),
        same(
            "a directory for a file",
            in_place_of("seeds.txt", |path| fs::create_dir(path).unwrap()),
            (20, "no regular file"),
        ),
        same(
            "a directory for a statement",
            in_place_of("attestations/residency.dsse.json", |path| fs::create_dir(path).unwrap()),
            (20, "no regular file"),
        ),
        same("a pipe", in_place_of("seeds.txt", pipe), (20, "no regular file")),
        same("a pipe for records", in_place_of(STREAMS[0], pipe), (20, "no regular file")),
        same("a pipe for a statement", in_place_of("attestations/residency.dsse.json", pipe), (20, "no regular file")),
        same("a pipe more", |bundle| pipe(&bundle.file("pipe")), name),
        same("a socket", in_place_of("seeds.txt", socket), (20, "no regular file")),
    ]);
}

fn hard_link(bundle: &Bundle) {
    fs::hard_link(bundle.file("seeds.txt"), bundle.path.with_file_name("another name")).unwrap();
}

/// Moves a file beside the bundle and puts a link in its place.
fn link(name: &'static str, target: &'static str) -> impl Fn(&Bundle) {
    move |bundle| {
        let last = name.rsplit('/').next().unwrap();
        fs::rename(bundle.file(name), bundle.path.with_file_name(last.replace(".dsse.json", ""))).unwrap();
        symlink(target, bundle.file(name)).unwrap();
    }
}

fn linked_directory(bundle: &Bundle) {
    fs::rename(bundle.file(DIRECTORY), bundle.path.with_file_name(DIRECTORY)).unwrap();
    symlink(format!("../{DIRECTORY}"), bundle.file(DIRECTORY)).unwrap();
}

fn file_for_directory(bundle: &Bundle) {
    fs::remove_dir_all(bundle.file(DIRECTORY)).unwrap();
    bundle.write(DIRECTORY, "x");
}

fn in_place_of(name: &'static str, make: fn(&std::path::Path)) -> impl Fn(&Bundle) {
    move |bundle| {
        fs::remove_file(bundle.file(name)).unwrap();
        make(&bundle.file(name));
    }
}

fn pipe(path: &std::path::Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// The address of a socket is short: it is made elsewhere.
fn socket(path: &std::path::Path) {
    let place = tempfile::tempdir().unwrap();
    drop(UnixListener::bind(place.path().join("s")).unwrap());
    fs::rename(place.path().join("s"), path).unwrap();
}

/// Root reads every file: the program runs as somebody else then.
#[test]
fn a_file_that_cannot_be_read_is_not_intact() {
    let bundle = rich();
    let place = bundle.path.with_file_name("verify-bundle");
    fs::copy(verifier(), &place).unwrap();
    for path in bundle.path.ancestors().take_while(|path| *path != std::env::temp_dir()) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let seeds = bundle.file("seeds.txt");
    fs::set_permissions(&seeds, fs::Permissions::from_mode(0o000)).unwrap();
    let is_root = fs::File::open(&seeds).is_ok();
    fs::set_permissions(&seeds, fs::Permissions::from_mode(0o644)).unwrap();
    let run = || {
        let mut command = Command::new(&place);
        command.arg(&bundle.path).arg("--integrity-only").current_dir("/");
        if is_root {
            command.uid(65_534).gid(65_534);
        }
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run().0, 0);
    for name in ["seeds.txt", STREAMS[0], "attestations/residency.dsse.json"] {
        fs::set_permissions(bundle.file(name), fs::Permissions::from_mode(0o000)).unwrap();
        let (code, stdout) = run();
        assert!(code == 20 && stdout.contains(&format!("{name}: cannot be opened")), "{code}: {stdout}");
        fs::set_permissions(bundle.file(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(bundle.file(DIRECTORY), fs::Permissions::from_mode(0o000)).unwrap();
    let (code, stdout) = run();
    assert!(code == 20 && stdout.contains("attestations/: cannot be listed"), "{code}: {stdout}");
    fs::set_permissions(bundle.file(DIRECTORY), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(run().0, 0);
}
