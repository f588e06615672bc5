//! The commit of a source tree: it is called clean only where what lies there is what the commit holds.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use evidence::needs;
use proof_bundle::Error;
use proof_bundle::provenance::Commit;

#[test]
fn outside_a_repository_there_is_no_run_id() {
    needs!("git");
    let directory = tempfile::tempdir().unwrap();
    let error = Commit::read(directory.path()).unwrap_err();
    assert!(matches!(error, Error::Commit { .. }));
    assert!(error.to_string().contains("run inside a git repository"), "{error}");
}

fn git(directory: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(directory)
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_changed_tree_is_dirty() {
    needs!("git");
    let directory = tempfile::tempdir().unwrap();
    git(directory.path(), &["init", "-q"]);
    assert!(Commit::read(directory.path()).is_err(), "no commit yet");
    git(directory.path(), &["commit", "-q", "--allow-empty", "-m", "First"]);
    let clean = Commit::read(directory.path()).unwrap();
    fs::write(directory.path().join("new"), "").unwrap();
    let dirty = Commit::read(directory.path()).unwrap();
    assert_eq!((clean.dirty, dirty.dirty), (false, true));
    assert_eq!(clean.sha, dirty.sha);
}

/// Each of these keeps `git status` quiet about a changed tree.
#[test]
fn a_changed_tree_is_dirty_even_where_git_is_told_not_to_say_so() {
    needs!("git");
    for (hide, changed) in [
        (["config", "status.showUntrackedFiles", "no"], "new"),
        (["update-index", "--assume-unchanged", "tracked"], "tracked"),
        (["update-index", "--skip-worktree", "tracked"], "tracked"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("below");
        fs::create_dir(&below).unwrap();
        fs::write(directory.path().join("tracked"), "").unwrap();
        git(directory.path(), &["init", "-q"]);
        git(directory.path(), &["add", "tracked"]);
        git(directory.path(), &["commit", "-q", "-m", "First"]);
        assert!(!Commit::read(directory.path()).unwrap().dirty);
        git(directory.path(), &hide);
        fs::write(directory.path().join(changed), "changed").unwrap();
        for asked in [directory.path(), &below] {
            assert!(Commit::read(asked).unwrap().dirty, "{hide:?}, asked in {}", asked.display());
        }
    }
}

#[test]
fn a_commit_that_another_replaces_and_a_file_behind_a_filter_make_a_tree_dirty() {
    needs!("git");
    let directory = tempfile::tempdir().unwrap();
    let commit = |text: &str| {
        fs::write(directory.path().join("tracked"), text).unwrap();
        git(directory.path(), &["add", "tracked"]);
        git(directory.path(), &["commit", "-q", "-m", text]);
        Commit::read(directory.path()).unwrap()
    };
    git(directory.path(), &["init", "-q"]);
    let (good, bad) = (commit("good"), commit("bad"));
    assert!(!good.dirty && !bad.dirty);
    git(directory.path(), &["replace", &bad.sha, &good.sha]);
    fs::write(directory.path().join("tracked"), "good").unwrap();
    git(directory.path(), &["add", "tracked"]);
    assert_eq!(Commit::read(directory.path()).unwrap(), Commit { dirty: true, ..bad.clone() });

    git(directory.path(), &["replace", "-d", &bad.sha]);
    git(directory.path(), &["reset", "-q", "--hard"]);
    assert_eq!(Commit::read(directory.path()).unwrap(), bad);
    git(directory.path(), &["config", "filter.h.clean", "git show HEAD:%f"]);
    fs::write(directory.path().join(".git/info/attributes"), "tracked filter=h\n").unwrap();
    fs::write(directory.path().join("tracked"), "b@d").unwrap();
    assert!(Commit::read(directory.path()).unwrap().dirty);
}

#[test]
fn a_source_that_only_this_machine_ignores_makes_a_tree_dirty() {
    needs!("git");
    let directory = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = directory.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let is_dirty = || Commit::read(directory.path()).unwrap().dirty;
    write(".gitignore", "/target/\n*.log.rs\n");
    git(directory.path(), &["init", "-q"]);
    git(directory.path(), &["add", ".gitignore"]);
    git(directory.path(), &["commit", "-q", "-m", "First"]);
    write("here", "*\n!.gitignore\n");
    git(directory.path(), &["config", "core.excludesFile", directory.path().join("here").to_str().unwrap()]);
    for ours in ["target/debug/out/generated.rs", "a.log.rs", ".idea/module.xml", ".tools/program", "notes.md"] {
        write(ours, "");
        assert!(!is_dirty(), "{ours}");
    }
    let (lock, spec) = ("Cargo.lock", "specs/70_more.md");
    let below = ["crates/a/build.rs", "crates/a/tests/ü.rs", "kernels/a.cuh", "crates/a/.cargo/config"];
    for hidden in below.into_iter().chain([".cargo/config.toml", "features/a.feature", "rust-toolchain", lock, spec]) {
        write(hidden, "");
        assert!(is_dirty(), "{hidden}");
        fs::remove_file(directory.path().join(hidden)).unwrap();
        assert!(!is_dirty(), "{hidden}");
    }
    git(directory.path(), &["config", "--unset", "core.excludesFile"]);
    write(".git/info/exclude", "*\n!.gitignore\n");
    write("tests/hidden.rs", "");
    assert!(is_dirty() && Commit::read(directory.path().join("target")).unwrap().dirty);
}

/// A repository whose commit holds a package and a file beside it.
fn repository() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "Cargo.toml", "[package]");
    write(directory.path(), "src/lib.rs", "good");
    git(directory.path(), &["init", "-q"]);
    git(directory.path(), &["add", "--all"]);
    git(directory.path(), &["commit", "-q", "-m", "First"]);
    assert!(!is_dirty(directory.path()));
    directory
}

fn write(directory: &Path, file: &str, text: &str) {
    let path = directory.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn is_dirty(directory: &Path) -> bool {
    Commit::read(directory).unwrap().dirty
}

#[test]
fn a_workspace_that_the_commit_around_it_ignores_is_none_of_that_commit() {
    needs!("git");
    let directory = repository();
    let path = directory.path();
    write(path, ".gitignore", "/work/\n");
    write(path, "member/Cargo.toml", "[package]");
    git(path, &["add", "--all"]);
    git(path, &["commit", "-q", "-m", "Second"]);
    write(path, "work/Cargo.toml", "[package]");
    assert!(!is_dirty(path) && !is_dirty(&path.join("member")), "what the commit ignores is not of its tree");
    assert!(is_dirty(&path.join("work")), "unless it is what runs");
}

#[test]
fn a_repository_or_a_linked_directory_that_only_this_machine_ignores_makes_a_tree_dirty() {
    needs!("git");
    let (directory, elsewhere) = (repository(), repository());
    let path = directory.path();
    write(path, ".git/info/exclude", "/tests/\n/crates/\n/notes\n");
    write(path, "notes", "");
    assert!(!is_dirty(path));
    fs::create_dir_all(path.join("tests/more")).unwrap();
    git(&path.join("tests/more"), &["init", "-q"]);
    write(path, "tests/more/main.rs", "");
    assert!(is_dirty(path));
    fs::remove_dir_all(path.join("tests")).unwrap();
    assert!(!is_dirty(path));
    fs::create_dir(path.join("crates")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), path.join("crates/extra")).unwrap();
    assert!(is_dirty(path));
}

#[test]
fn no_setting_cache_or_filter_of_git_hides_a_change() {
    needs!("git");
    let change = |path: &Path| {
        let file = path.join("src/lib.rs");
        let modified = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(&file, "evil").unwrap();
        fs::File::options().append(true).open(&file).unwrap().set_modified(modified).unwrap();
    };
    let hides = |path: &Path| {
        let output = Command::new("git").args(["status", "--porcelain"]).current_dir(path).output().unwrap();
        output.stdout.is_empty()
    };

    let directory = repository();
    let path = directory.path();
    git(path, &["config", "core.checkStat", "minimal"]);
    git(path, &["config", "core.trustctime", "false"]);
    // A file of the second in which the index is written is compared all the same.
    let file = fs::File::options().append(true).open(path.join("src/lib.rs")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    git(path, &["status"]);
    change(path);
    assert!(hides(path) && is_dirty(path), "a cached stat");

    let directory = repository();
    let path = directory.path();
    write(path, ".git/hook", "#!/bin/sh\nprintf 'token\\0'\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(path.join(".git/hook"), mode).unwrap();
    git(path, &["config", "core.fsmonitor", path.join(".git/hook").to_str().unwrap()]);
    git(path, &["update-index", "--fsmonitor"]);
    git(path, &["status"]);
    change(path);
    assert!(hides(path) && is_dirty(path), "a monitor");

    let directory = repository();
    let path = directory.path();
    write(path, "src/lib.rs", "$Id$");
    git(path, &["commit", "-q", "--all", "-m", "Second"]);
    write(path, ".git/info/attributes", "*.rs ident\n");
    fs::remove_file(path.join("src/lib.rs")).unwrap();
    git(path, &["checkout", "-q", "src/lib.rs"]);
    let converted = fs::read_to_string(path.join("src/lib.rs")).unwrap();
    write(path, "src/lib.rs", &format!("$Id: {:<1$}$", "evil", converted.len() - "$Id: $".len()));
    assert!(hides(path) && is_dirty(path), "a conversion");
}

#[test]
fn files_that_a_repository_keeps_in_another_directory_have_no_commit() {
    needs!("git");
    let (directory, clean) = (repository(), repository());
    git(directory.path(), &["config", "core.worktree", clean.path().to_str().unwrap()]);
    let error = Commit::read(directory.path()).unwrap_err().to_string();
    assert!(error.contains("unset core.worktree"), "{error}");
}

#[test]
fn what_is_staged_is_not_of_the_commit_and_what_is_not_staged_is() {
    needs!("git");
    let directory = repository();
    let path = directory.path();
    git(path, &["rm", "-q", "--cached", "src/lib.rs"]);
    assert!(!is_dirty(path), "the file is the commit's");
    git(path, &["reset", "-q"]);
    write(path, "tests/new.rs", "");
    git(path, &["add", "tests/new.rs"]);
    assert!(is_dirty(path));
    git(path, &["reset", "-q"]);
    fs::remove_dir_all(path.join("tests")).unwrap();
    assert!(!is_dirty(path));
    fs::remove_file(path.join("src/lib.rs")).unwrap();
    assert!(is_dirty(path), "a file of the commit is gone");
}

#[test]
fn a_link_a_program_and_a_submodule_are_compared_as_what_they_are() {
    needs!("git");
    let (directory, inner) = (repository(), repository());
    let path = directory.path();
    let mode =
        |mode| fs::set_permissions(path.join("run"), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    write(path, "run", "");
    mode(0o755);
    std::os::unix::fs::symlink("run", path.join("link")).unwrap();
    let from = inner.path().to_str().unwrap();
    git(path, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", from, "inner"]);
    git(path, &["add", "--all"]);
    git(path, &["commit", "-q", "-m", "Second"]);
    assert!(!is_dirty(path));
    mode(0o644);
    assert!(is_dirty(path), "no program any more");
    mode(0o755);
    fs::remove_file(path.join("link")).unwrap();
    fs::copy(path.join("run"), path.join("link")).unwrap();
    assert!(is_dirty(path), "no link any more");
    git(path, &["checkout", "-q", "link"]);
    assert!(!is_dirty(path));
    write(path, "inner/src/lib.rs", "evil");
    assert!(is_dirty(path), "a changed submodule");
}

/// What the child process below asks, under the variables that its parent set.
#[test]
fn child_that_reads_a_commit() {
    if let Some(directory) = std::env::var_os("PROOF_BUNDLE_TEST_REPOSITORY") {
        println!("dirty={}", is_dirty(Path::new(&directory)));
    }
}

#[test]
fn no_variable_of_git_hides_a_source() {
    needs!("git");
    let directory = repository();
    let other = repository();
    write(directory.path(), ".git/info/exclude", "/tests/\n");
    write(directory.path(), "tests/more.rs", "");
    for (name, value) in [
        ("GIT_LITERAL_PATHSPECS", "1".into()),
        ("GIT_NOGLOB_PATHSPECS", "1".into()),
        ("GIT_DIR", other.path().join(".git")),
        ("GIT_WORK_TREE", other.path().to_owned()),
    ] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_reads_a_commit", "--nocapture"])
            .env("PROOF_BUNDLE_TEST_REPOSITORY", directory.path())
            .env(name, value)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("dirty=true"), "{name}: {said}");
    }
}
