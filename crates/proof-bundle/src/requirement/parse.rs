//! The parser of `specs/*.md`: strict, so that a requirement cannot get lost in prose.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::draft::Draft;
use super::table::{self, Row};
use super::{Document, Requirement, RollUp, Specifications, Vulnerability, normalise};
use crate::Error;

/// Reads the specification documents of `directory`: every `.md` file but `README.md`, named `NN_title.md`.
///
/// # Errors
///
/// [`Error::Specification`] with file and line for a document that does not follow the format of `specs/README.md`, for
/// an id that is defined twice or not at all, and for a directory without a requirement; [`Error::Io`] when a file
/// cannot be read.
pub fn parse_specs(directory: impl AsRef<Path>) -> Result<Specifications, Error> {
    let directory = directory.as_ref();
    let mut specifications = Specifications::default();
    let mut defined = BTreeMap::new();
    let mut references = Vec::new();
    for path in documents(directory)? {
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let mut parser = Parser::new(&path)?;
        for (index, line) in text.lines().enumerate() {
            parser.line = index.saturating_add(1);
            parser.read(line)?;
        }
        parser.finish(&mut specifications, &mut defined, &mut references)?;
    }
    if specifications.requirements.is_empty() {
        return Err(fault(
            directory,
            0,
            "no requirement is defined here: give the directory that holds NN_title.md files",
        ));
    }
    for reference in references {
        if !defined.contains_key(&reference.id) {
            return Err(fault(
                &reference.file,
                reference.line,
                format!("`{}` is not defined by any document", reference.id),
            ));
        }
    }
    Ok(specifications)
}

fn documents(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let path = entry.map_err(Error::io("list", directory))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let (is_directory, is_document) = (path.is_dir(), name.ends_with(".md") && name != "README.md");
        match name {
            "README.md" | "coverage.snapshot.json" if !is_directory => {}
            "features" if is_directory => {}
            // An editor's or a desktop's: no reader sees it.
            _ if name.starts_with('.') && !is_document => {}
            _ if is_document && !is_directory => paths.push(path),
            _ => {
                let problem = "nothing reads it: specifications are README.md, NN_title.md, coverage.snapshot.json and \
                               features/, so rename it or put it elsewhere";
                return Err(fault(&path, 0, problem));
            }
        }
    }
    paths.sort();
    Ok(paths)
}

fn fault(file: &Path, line: usize, problem: impl Into<String>) -> Error {
    Error::Specification { file: file.to_owned(), line, problem: problem.into() }
}

/// Whether a line has a tag from `<h1>` to `<h6>`.
fn has_html_heading(line: &str) -> bool {
    line.to_lowercase().split("<h").skip(1).any(|rest| rest.starts_with(|level: char| ('1'..='6').contains(&level)))
}

/// Whether a reader of Markdown can see a heading in a line that is none of ours: within quotes and lists, or since it
/// underlines the line before (`=` or `-`).
fn shows_a_heading(line: &str) -> bool {
    let mut rest = line.trim();
    while let Some(inner) = within(rest) {
        rest = inner;
    }
    let is_only = |mark: char| !rest.is_empty() && rest.chars().all(|character| character == mark);
    rest.starts_with('#') || is_only('=') || is_only('-')
}

/// What follows the marker of a quote or of a list's item, if the line begins with one.
fn within(line: &str) -> Option<&str> {
    let digits = line.trim_start_matches(|character: char| character.is_ascii_digit());
    let after_number = (digits.len() < line.len()).then(|| digits.strip_prefix(['.', ')'])).flatten();
    let item = line.strip_prefix(['-', '*', '+']).or(after_number);
    let inner = line.strip_prefix('>').or_else(|| item.filter(|inner| inner.starts_with(char::is_whitespace)))?;
    Some(inner.trim_start())
}

/// An id that a table names.
struct Reference {
    id: String,
    file: PathBuf,
    line: usize,
}

/// One document being read.
struct Parser<'a> {
    file: &'a Path,
    name: String,
    number: String,
    line: usize,
    title: Option<String>,
    section: String,
    draft: Option<Draft>,
    done: Vec<(usize, Requirement)>,
    rows: Vec<Row>,
}

impl<'a> Parser<'a> {
    fn new(file: &'a Path) -> Result<Self, Error> {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let number = match name.split_once('_') {
            Some((number, _)) if number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit()) => {
                number.to_owned()
            }
            _ => return Err(fault(file, 0, "a specification is named by two digits, `_` and a title")),
        };
        Ok(Self {
            file,
            name,
            number,
            line: 0,
            title: None,
            section: String::new(),
            draft: None,
            done: Vec::new(),
            rows: Vec::new(),
        })
    }

    fn fault(&self, problem: impl Into<String>) -> Error {
        fault(self.file, self.line, problem)
    }

    fn read(&mut self, line: &str) -> Result<(), Error> {
        if line.contains('\r') {
            Err(self.fault("a carriage return ends a line for a reader of Markdown and not here: remove it"))
        } else if has_html_heading(line) {
            Err(self.fault("a heading is no HTML: write it with `#`, or the tag in other words"))
        } else if let Some(heading) = line.strip_prefix("### ") {
            self.close_draft()?;
            self.open_draft(heading)
        } else if let Some(heading) = line.strip_prefix("## ") {
            self.close_draft()?;
            self.section = normalise(heading);
            Ok(())
        } else if let Some(heading) = line.strip_prefix("# ") {
            if self.title.is_some() {
                return Err(self.fault("a document has one `# ` heading"));
            }
            self.title = Some(normalise(heading));
            Ok(())
        } else if shows_a_heading(line) {
            Err(self.fault(
                "a heading is `# `, `## ` or `### ` at the beginning of its line: nothing else begins with `#`, in a quote or a \
                 list either, and no line is only `=` or `-`",
            ))
        } else if self.draft.is_some() {
            self.read_requirement(line)
        } else if line.contains("- Kind: ") {
            Err(self.fault("a field stands under the `### ` heading of its requirement"))
        } else if line.split(|character: char| !character.is_alphanumeric()).any(|word| word == "MUST") {
            Err(self.fault("a sentence with MUST is a requirement, under a `### ` heading of its own"))
        } else {
            if table::is_row(line) && (self.section == "Roll-ups" || self.section == "Vulnerabilities") {
                self.rows.push(Row::new(&self.section, self.line, line));
            }
            Ok(())
        }
    }

    fn open_draft(&mut self, heading: &str) -> Result<(), Error> {
        if self.section.is_empty() {
            return Err(self.fault("a requirement stands under a `## ` heading"));
        }
        let (id, title) = heading.split_once(' ').unwrap_or((heading, ""));
        if !self.is_id(id) {
            let number = &self.number;
            return Err(self.fault(format!("`{id}` is no requirement id: write `{number}§1.1` or `AB-001`")));
        }
        if title.trim().is_empty() {
            return Err(self.fault(format!("{id} has no title")));
        }
        self.draft = Some(Draft::new(self.line, id, title, &self.section));
        Ok(())
    }

    fn is_id(&self, id: &str) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if let Some((document, rest)) = id.split_once('§') {
            return document == self.number
                && rest.split_once('.').is_some_and(|(section, item)| digits(section) && digits(item));
        }
        id.split_once('-').is_some_and(|(letters, number)| {
            letters.len() == 2
                && letters.bytes().all(|byte| byte.is_ascii_uppercase())
                && number.len() == 3
                && digits(number)
        })
    }

    fn read_requirement(&mut self, line: &str) -> Result<(), Error> {
        let (file, number) = (self.file, self.line);
        let Some(draft) = self.draft.as_mut() else {
            return Ok(());
        };
        if line.trim().is_empty() {
            return Ok(());
        }
        draft.read(line).map_err(|problem| fault(file, number, problem))
    }

    fn close_draft(&mut self) -> Result<(), Error> {
        if let Some(draft) = self.draft.take() {
            let line = draft.line;
            let requirement = draft.finish(&self.name).map_err(|problem| fault(self.file, line, problem))?;
            self.done.push((line, requirement));
        }
        Ok(())
    }

    fn finish(
        mut self,
        specifications: &mut Specifications,
        defined: &mut BTreeMap<String, String>,
        references: &mut Vec<Reference>,
    ) -> Result<(), Error> {
        self.close_draft()?;
        let Some(title) = self.title.take() else {
            return Err(fault(self.file, 1, "a document begins with a `# ` heading"));
        };
        specifications.documents.push(Document { file: self.name.clone(), title });
        for (line, requirement) in self.done {
            if let Some(other) = defined.insert(requirement.id.clone(), format!("{}:{line}", self.name)) {
                return Err(fault(self.file, line, format!("{} is defined already, at {other}", requirement.id)));
            }
            specifications.requirements.push(requirement);
        }
        for row in table::body(self.rows).map_err(|(line, problem)| fault(self.file, line, problem))? {
            let line = row.line;
            let at = |problem| fault(self.file, line, problem);
            let requirements = row.ids().map_err(at)?;
            references.extend(requirements.iter().map(|id| Reference {
                id: id.clone(),
                file: self.file.to_owned(),
                line,
            }));
            if row.section == "Roll-ups" {
                let [id, title, _] = row.cells().map_err(at)?;
                let place = format!("{}:{line}", self.name);
                if specifications.roll_ups.iter().any(|known| known.id == id) || defined.contains_key(&id) {
                    return Err(fault(self.file, line, format!("{id} is defined already, before {place}")));
                }
                specifications.roll_ups.push(RollUp { id, title, requirements });
            } else {
                let [name, severity, mitigation, _] = row.cells().map_err(at)?;
                specifications.vulnerabilities.push(Vulnerability { name, severity, mitigation, requirements });
            }
        }
        Ok(())
    }
}
