//! The tables of roll-ups and vulnerabilities.

/// A row of a Markdown table under a heading.
pub(super) struct Row {
    pub(super) section: String,
    pub(super) line: usize,
    cells: Vec<String>,
}

/// Whether a line belongs to a table.
pub(super) fn is_row(line: &str) -> bool {
    line.starts_with('|')
}

impl Row {
    pub(super) fn new(section: &str, line: usize, text: &str) -> Self {
        let inner = text.trim().trim_start_matches('|').trim_end_matches('|');
        Self { section: section.to_owned(), line, cells: inner.split('|').map(|cell| cell.trim().to_owned()).collect() }
    }

    /// The cells of a row that must have `N`, none of them empty.
    pub(super) fn cells<const N: usize>(&self) -> Result<[String; N], String> {
        match <[String; N]>::try_from(self.cells.clone()) {
            Ok(cells) if cells.iter().all(|cell| !cell.is_empty()) => Ok(cells),
            _ => Err(format!("a row under `{}` has {N} filled cells", self.section)),
        }
    }

    /// The requirement ids of the last cell.
    pub(super) fn ids(&self) -> Result<Vec<String>, String> {
        let ids: Vec<String> = self
            .cells
            .last()
            .map(|cell| cell.split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect())
            .unwrap_or_default();
        if ids.is_empty() { Err(format!("a row under `{}` names no requirement", self.section)) } else { Ok(ids) }
    }

    fn is_rule(&self) -> bool {
        self.cells.iter().all(|cell| !cell.is_empty() && cell.bytes().all(|byte| matches!(byte, b'-' | b':')))
    }
}

/// Drops the heading row and the rule of each table.
pub(super) fn body(rows: Vec<Row>) -> Result<Vec<Row>, (usize, String)> {
    let mut body = Vec::new();
    let mut rows = rows.into_iter().peekable();
    let mut section = String::new();
    while let Some(row) = rows.next() {
        if row.section == section {
            body.push(row);
        } else if rows.next_if(Row::is_rule).is_some() {
            section = row.section;
        } else {
            return Err((row.line, "a table begins with a heading row and a rule".to_owned()));
        }
    }
    Ok(body)
}
