//! How long operations took: a picture for each class of device, and the figures as a table.

use std::collections::BTreeMap;

use super::markup::{Html, class, plain};
use super::parts::{Column, Narrow, bytes, code, grouped, more, place, table};
use super::{plot, section};
use crate::records::{GPU, Measurement, Record};
use crate::report::{Source, clip};

/// How many rows the table has.
const ROWS: usize = 200;

pub(super) fn render(source: &Source) -> Html {
    let measured: Vec<Measured<'_>> = source.performance.iter().filter_map(Measured::of).collect();
    if measured.is_empty() {
        return section("timings", "Timings", plain("p", "No timings were recorded."));
    }
    // Classes of device are never merged.
    let mut by_device: BTreeMap<&str, Vec<plot::Row<'_>>> = BTreeMap::new();
    for one in &measured {
        if let Some(row) = one.row() {
            by_device.entry(one.record.device).or_default().push(row);
        }
    }
    let mut html = plain(
        "p",
        "Times as measured in this run. They say how long an operation took there, and nothing about other machines.",
    );
    if !by_device.contains_key(GPU) {
        html.push(class("p", "fine", "None of them was measured on a GPU."));
    }
    for (number, (device, rows)) in by_device.iter_mut().enumerate() {
        rows.sort_by_key(|row| (row.operation, row.model_bytes));
        html.push(plot::render(device, number, rows));
    }
    let columns = [
        Column::Text("Operation"),
        Column::Text("Device"),
        Column::Number("Model"),
        Column::Number("Samples"),
        Column::Number("Minimum (ns)"),
        Column::Number("Median (ns)"),
        Column::Number("p99 (ns)"),
        Column::Text("Record"),
    ];
    html.push(table("Timings", Narrow::Scrolls, columns, measured.iter().take(ROWS).map(Measured::cells)));
    html.push(more(measured.len(), ROWS, "performance.jsonl"));
    section("timings", "Timings", html)
}

/// A record of `performance.jsonl` that has timings.
struct Measured<'a> {
    record: &'a Record,
    measurement: &'a Measurement,
}

impl<'a> Measured<'a> {
    fn of(record: &'a Record) -> Option<Self> {
        Some(Self { record, measurement: record.measurement.as_deref()? })
    }

    /// The row of the picture; none unless all three figures are there.
    fn row(&self) -> Option<plot::Row<'a>> {
        Some(plot::Row {
            operation: &self.measurement.operation,
            model_bytes: self.measurement.model_size_bytes,
            minimum: self.measurement.minimum_ns?,
            median: self.measurement.median_ns?,
            p99: self.measurement.p99_ns?,
        })
    }

    fn cells(&self) -> [Html; 8] {
        let number =
            |value: Option<u64>| -> Html { value.map_or_else(|| "not given".into(), |value| grouped(value).into()) };
        let location = &self.record.location;
        [
            clip(&self.measurement.operation, 120).into(),
            code(self.record.device),
            self.measurement.model_size_bytes.map_or_else(|| "not given".into(), |size| bytes(size).into()),
            number(self.measurement.count),
            number(self.measurement.minimum_ns),
            number(self.measurement.median_ns),
            number(self.measurement.p99_ns),
            place(location.file, &location.line.to_string()),
        ]
    }
}
