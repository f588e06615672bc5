//! Timings as a picture: for each operation and model size the minimum, the median and the 99th percentile.
//!
//! Positions are percentages of the width and text is not scaled, so the picture can be read on a phone as on paper. The
//! three figures differ in shape and not only in colour.

use super::markup::{Html, class, plain, tag};
use super::parts::{bytes, duration};
use super::scale::Scale;

/// How many rows one picture has.
const ROWS: usize = 40;

/// The height of a row and of the axis, in pixels.
const ROW: usize = 44;
const AXIS: usize = 34;

/// The timings of one operation on a model of one size; nanoseconds.
pub(super) struct Row<'a> {
    pub(super) operation: &'a str,
    pub(super) model_bytes: Option<u64>,
    pub(super) minimum: u64,
    pub(super) median: u64,
    pub(super) p99: u64,
}

/// The picture of the timings on one class of device, `number` distinguishes it in the page.
pub(super) fn render(device: &str, number: usize, rows: &[Row<'_>]) -> Html {
    let values = rows.iter().flat_map(|row| [row.minimum, row.median, row.p99]);
    let scale = Scale::of(values);
    let shown = rows.len().min(ROWS);
    let bottom = shown.saturating_mul(ROW);
    let (title, description) = (format!("plot-{number}-title"), format!("plot-{number}-description"));
    let mut drawing = Html::from([
        tag("title", &[("id", &title)], format!("Time per operation on {device}")),
        tag("desc", &[("id", &description)], describe(rows)),
    ]);
    for tick in scale.ticks() {
        let x = percent(scale.position(tick.value));
        drawing.push(line("grid", &x, 0, &x, bottom));
        if tick.is_labelled {
            drawing.push(text("tick", &x, bottom.saturating_add(15), duration(tick.value)));
        }
    }
    let axis = if scale.is_logarithmic() { "time per operation, logarithmic" } else { "time per operation, linear" };
    drawing.push(text("axis", "50%", bottom.saturating_add(AXIS).saturating_sub(4), axis));
    for (index, row) in rows.iter().take(ROWS).enumerate() {
        drawing.push(draw(row, &scale, index.saturating_mul(ROW)));
    }
    let height = bottom.saturating_add(AXIS).to_string();
    let labelled = format!("{title} {description}");
    let svg = tag(
        "svg",
        &[("class", "plot"), ("role", "img"), ("aria-labelledby", &labelled), ("width", "100%"), ("height", &height)],
        drawing,
    );
    let mut caption = Html::from([
        "Device class ".into(),
        plain("b", device),
        ". ".into(),
        key("bar-key", "minimum"),
        key("dot-key", "median (its figure at the right)"),
        key("diamond-key", "99th percentile"),
    ]);
    if rows.len() > ROWS {
        caption.push(format!(" The first {ROWS} of {} rows; the table has the rest.", rows.len()));
    }
    plain("figure", [plain("figcaption", caption), svg])
}

/// One row: what was measured, and its three marks.
fn draw(row: &Row<'_>, scale: &Scale, top: usize) -> Html {
    let label = top.saturating_add(15);
    let middle = top.saturating_add(29);
    let x = |value: u64| percent(scale.position(value));
    let (minimum, median, p99) = (x(row.minimum), x(row.median), x(row.p99));
    [
        line("row", "0", top, "100%", top),
        text("name", "0", label, name(row)),
        text("value", "100%", label, duration(row.median)),
        line("range", &minimum, middle, &p99, middle),
        line("minimum", &minimum, middle.saturating_sub(7), &minimum, middle.saturating_add(7)),
        tag("circle", &[("class", "median"), ("cx", &median), ("cy", &middle.to_string()), ("r", "5")], Html::new()),
        shape("p99", &p99, middle),
    ]
    .into()
}

fn name(row: &Row<'_>) -> String {
    match row.model_bytes {
        Some(size) => format!("{}, {}", clip_short(row.operation), bytes(size)),
        None => clip_short(row.operation),
    }
}

/// A name of at most 28 characters; the table has it in full.
fn clip_short(name: &str) -> String {
    match name.char_indices().nth(28) {
        Some((end, _)) => format!("{}…", name.split_at(end).0),
        None => name.to_owned(),
    }
}

/// The picture in words, for those who do not see it.
fn describe(rows: &[Row<'_>]) -> String {
    let words: Vec<String> = rows
        .iter()
        .take(ROWS)
        .map(|row| {
            format!(
                "{}: minimum {}, median {}, 99th percentile {}",
                name(row),
                duration(row.minimum),
                duration(row.median),
                duration(row.p99)
            )
        })
        .collect();
    format!("{}.", words.join("; "))
}

fn key(shape: &'static str, word: &'static str) -> Html {
    let drawing = match shape {
        "bar-key" => line("minimum", "8", 2, "8", 14),
        "dot-key" => tag("circle", &[("class", "median"), ("cx", "8"), ("cy", "8"), ("r", "5")], Html::new()),
        _ => self::shape("p99", "8", 8),
    };
    let svg = tag("svg", &[("class", "key"), ("aria-hidden", "true"), ("width", "16"), ("height", "16")], drawing);
    class("span", "keyed", [svg, word.into()])
}

/// A diamond; a nested drawing, because a path has no percentages.
fn shape(kind: &'static str, x: &str, y: usize) -> Html {
    let y = y.to_string();
    tag(
        "svg",
        &[("x", x), ("y", &y), ("overflow", "visible"), ("width", "1"), ("height", "1")],
        tag("path", &[("class", kind), ("d", "M0-6L6 0L0 6L-6 0Z")], Html::new()),
    )
}

fn line(kind: &str, x1: &str, y1: usize, x2: &str, y2: usize) -> Html {
    let (y1, y2) = (y1.to_string(), y2.to_string());
    tag("line", &[("class", kind), ("x1", x1), ("y1", &y1), ("x2", x2), ("y2", &y2)], Html::new())
}

fn text(kind: &str, x: &str, y: usize, content: impl Into<Html>) -> Html {
    tag("text", &[("class", kind), ("x", x), ("y", &y.to_string())], content)
}

/// A share of the width; the ends keep away from the edge so that their labels fit.
fn percent(share: f64) -> String {
    format!("{:.2}%", 5.0 + share * 90.0)
}
