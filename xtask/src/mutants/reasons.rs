//! Why nobody minds some survivors: `mutants/survivors.toml`. Line numbers are left out, so that a reason stays when code moves.

use std::path::Path;

use proof_bundle::mutants::{Mutant, MutantOutcome};
use serde::Deserialize;

use crate::error::XtaskError;

/// The file of reasons in its directory.
const FILE: &str = "survivors.toml";

/// What the file holds.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reasons {
    #[serde(default)]
    survivor: Vec<Reason>,
}

/// Why the mutants of one description survive.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// The file that they change, from the workspace's root.
    file: String,
    /// What they change: the name of the mutant after its place.
    mutant: String,
    /// Why no test notices.
    reason: String,
}

impl Reasons {
    /// Reads the file in `directory`; nothing when there is none.
    pub(super) fn read(directory: &Path) -> Result<Self, XtaskError> {
        let path = directory.join(FILE);
        if !path.is_file() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(&path).map_err(XtaskError::read(&path))?;
        toml::from_str(&text)
            .map_err(|error| XtaskError::Input(format!("{} cannot be read: {}", path.display(), error.message())))
    }

    /// Gives each survivor its reason.
    ///
    /// # Errors
    /// [`XtaskError::Input`] when a reason is empty, or is given for what the tests notice now.
    pub(super) fn give(&self, mutants: &mut [Mutant]) -> Result<(), XtaskError> {
        for Reason { file, mutant: change, reason } in &self.survivor {
            let refuse = |why: &str| Err(XtaskError::Input(format!("{FILE}: {file}: {change}: {why}")));
            if reason.trim().is_empty() {
                return refuse("say why it survives");
            }
            let mut tried = 0_usize;
            let mut survived = 0_usize;
            for mutant in mutants.iter_mut().filter(|one| one.file == *file && change_of(&one.name) == change) {
                tried = tried.saturating_add(1);
                if mutant.outcome == MutantOutcome::Survived {
                    survived = survived.saturating_add(1);
                    mutant.reason = Some(reason.trim().to_owned());
                }
            }
            if tried > 0 && survived == 0 {
                return refuse("a test notices it now: remove the entry");
            }
        }
        Ok(())
    }
}

/// `replace f with ()` of `src/lib.rs:1:2: replace f with ()`.
fn change_of(name: &str) -> &str {
    name.split_once(": ").map_or(name, |(_, change)| change)
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

    fn mutant(line: u32, outcome: MutantOutcome) -> Mutant {
        Mutant {
            name: format!("src/lib.rs:{line}:9: replace A::b -> u8 with 0"),
            package: "p".into(),
            file: "src/lib.rs".into(),
            outcome,
            killed_by: Vec::new(),
            reason: None,
        }
    }

    fn give(text: &str, mutants: &mut [Mutant]) -> Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), text).unwrap();
        let given = Reasons::read(dir.path()).and_then(|reasons| reasons.give(mutants));
        given.map_err(|error| error.to_string())
    }

    const ENTRY: &str =
        "[[survivor]]\nfile = \"src/lib.rs\"\nmutant = \"replace A::b -> u8 with 0\"\nreason = \"It is 0.\"\n";

    #[test]
    fn a_survivor_gets_its_reason_wherever_it_is_and_what_is_noticed_gets_none() {
        let mut mutants = [mutant(7, MutantOutcome::Survived), mutant(9, MutantOutcome::Killed)];
        give(ENTRY, &mut mutants).unwrap();
        assert_eq!(mutants.map(|one| one.reason), [Some("It is 0.".to_owned()), None]);
        give(&ENTRY.replace("src/lib.rs", "src/not_tried.rs"), &mut []).unwrap();
        assert!(Reasons::read(Path::new("/nowhere")).unwrap().survivor.is_empty());
    }

    #[test]
    fn a_reason_that_says_nothing_or_is_out_of_date_or_of_another_form_is_refused() {
        let survived = || [mutant(7, MutantOutcome::Survived)];
        assert!(give(&ENTRY.replace("It is 0.", " "), &mut survived()).unwrap_err().contains("say why"));
        assert!(give(ENTRY, &mut [mutant(7, MutantOutcome::Killed)]).unwrap_err().contains("remove the entry"));
        assert!(give(&ENTRY.replace("reason", "because"), &mut survived()).unwrap_err().contains("cannot be read"));
    }
}
