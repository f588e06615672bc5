//! The style sheet, and the policy that lets a browser use it and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

use crate::coverage::Status;

/// What does not depend on the bundle.
const FIXED: &str = include_str!("style.css");

/// How many documents have a filter of their own.
pub(super) const FILTERED_DOCUMENTS: usize = 24;

/// A style sheet: the fixed part, and a rule for each filter.
pub(super) struct Sheet(String);

impl Sheet {
    /// With filters for so many documents.
    pub(super) fn new(documents: usize) -> Self {
        let mut text = FIXED.to_owned();
        text.push_str("@media screen{\n");
        let mut filter = |id: &str| {
            text.push_str(&format!(
                "#requirements:has(#f-{id}:checked) :is(.req,.section,.document):not(.{id},:has(.{id},:target),:target)\
                 {{display:none}}\n"
            ));
        };
        for status in Status::ALL {
            filter(class_of(status));
        }
        for document in 0..documents.min(FILTERED_DOCUMENTS) {
            filter(&document_class(document));
        }
        text.push_str("}\n");
        Self(text)
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The content security policy of the page: this sheet, and neither scripts nor anything from elsewhere.
    pub(super) fn policy(&self) -> String {
        let digest = STANDARD.encode(digest(&SHA256, self.0.as_bytes()));
        format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")
    }
}

/// The class of requirements of that status.
pub(super) fn class_of(status: Status) -> &'static str {
    match status {
        Status::Proven => "proven",
        Status::NeedsGpu => "needs-gpu",
        Status::Vacuous => "vacuous",
        Status::Stale => "stale",
        Status::NotRun => "not-run",
        Status::Unmapped => "unmapped",
        Status::Failed => "failed",
    }
}

/// The class of requirements of a document, counted from zero.
pub(super) fn document_class(document: usize) -> String {
    format!("document-{document}")
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
    fn the_sheet_cannot_end_its_element_nor_fetch_anything() {
        let sheet = Sheet::new(3);
        for word in ["</", "url(", "@import", "@font-face", "\r"] {
            assert!(!sheet.text().contains(word), "{word}");
        }
    }
}
