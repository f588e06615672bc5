//! From what a proof run observed to a complete bundle.

use std::collections::BTreeMap;
use std::path::Path;

use crate::code_coverage::{self, CodeCoverage};
use crate::coverage::{Coverage, Inputs, derive};
use crate::junit::{self, TestResult};
use crate::mutants::{self, Mutants};
use crate::provenance::{Metadata, Provenance};
use crate::records::collect;
use crate::requirement::{RequirementsFile, Specifications};
use crate::test_map::{MappedTest, Scenario, TestId};
use crate::{Error, ProofBundle, report};

/// What a run gives.
#[derive(Debug)]
pub struct Run<'a> {
    /// What has to be shown.
    pub specifications: Specifications,
    /// Which tests say that they show it.
    pub map: &'a [MappedTest],
    /// The behaviour scenarios and the tests that run them.
    pub scenarios: &'a [Scenario],
    /// Every test that exists, as observed.
    pub results: Vec<TestResult>,
    /// The directory of the spools (see [`records::spool_path`](crate::records::spool_path)).
    pub spool: &'a Path,
    /// The seeds of the run's randomness.
    pub seeds: &'a [u64],
    /// How many lines the tests ran, where that was measured.
    pub code_coverage: Option<&'a CodeCoverage>,
    /// Which faults the mapped tests noticed, where that was measured.
    pub mutants: Option<&'a Mutants>,
    /// For people.
    pub metadata: &'a Metadata,
    /// For checking; its `run_id` is the bundle's.
    pub provenance: &'a Provenance,
}

/// Writes every file of a bundle but `SHA256SUMS`, reads back what coverage is derived from, derives it, and renders the
/// reports from the files. What it returns is what `coverage.json` holds.
///
/// # Errors
///
/// [`Error::Spool`] when a spool holds what is no evidence, or claims of a test that is not among the results;
/// [`Error::Junit`] when a test is there twice; [`Error::Io`] when a file cannot be written.
pub fn assemble(bundle: &ProofBundle, run: Run<'_>) -> Result<Coverage, Error> {
    bundle.put_json("metadata.json", run.metadata)?;
    bundle.put_json("provenance.json", run.provenance)?;
    let requirements = RequirementsFile::new(run.specifications, run.map, run.scenarios);
    bundle.put_json("requirements.json", &requirements)?;
    if let Some(measured) = run.code_coverage {
        bundle.put_json(code_coverage::FILE, measured)?;
    }
    if let Some(mutants) = run.mutants {
        bundle.put_json(mutants::FILE, mutants)?;
    }
    for seed in run.seeds {
        bundle.seeds().record(*seed)?;
    }
    let mut claims: BTreeMap<TestId, Vec<String>> = BTreeMap::new();
    for claim in collect(run.spool, bundle)? {
        claims.entry(claim.test).or_default().push(claim.requirement);
    }
    let mut results = run.results;
    for result in &mut results {
        result.claims = claims.remove(&result.id()).unwrap_or_default();
    }
    if let Some((test, ids)) = claims.pop_first() {
        return Err(Error::Spool {
            problem: format!("it claims {}, and no such test is among the results", ids.join(", ")),
            binary: test.binary,
            test: test.test,
            line: 0,
        });
    }
    bundle.put(junit::FILE, junit::to_xml(&results)?.as_bytes())?;

    let coverage = derive(&Inputs::read(bundle.root())?);
    bundle.put_json("coverage.json", &coverage)?;
    for (name, text) in report::render_all(bundle.root())? {
        bundle.put(&name, text.as_bytes())?;
    }
    Ok(coverage)
}
