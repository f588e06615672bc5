//! Where the run comes from: source, toolchain, host, devices, models, digests.

use facts::DeviceFacts;

use super::markup::{Html, class, plain};
use super::parts::{Column, Narrow, bytes, code, facts, file_link, grouped, more, table};
use super::section;
use crate::provenance::{FileDigest, ModelFile};
use crate::report::{Source, clip};

/// How many rows a table has.
const ROWS: usize = 200;

pub(super) fn render(source: &Source) -> Html {
    let (metadata, provenance) = (&source.metadata, &source.provenance);
    let environment = &metadata.environment;
    let dirty = if provenance.commit.dirty { "with uncommitted changes" } else { "without uncommitted changes" };
    let nonce = match &provenance.nonce {
        Some(nonce) => code(nonce),
        None => "none was asked for".into(),
    };
    let looked: Vec<Html> = metadata.looked_at.iter().map(|line| clip(line, 240).into()).collect();
    let mut rows = vec![
        ("Commit", Html::from([code(&provenance.commit.sha), format!(" {dirty}").into()])),
        ("Run", code(&provenance.run_id)),
        ("Started", (&provenance.timings.started).into()),
        ("Ended", (&provenance.timings.finished).into()),
        ("Nonce", nonce),
        ("Command", code(&metadata.command)),
        ("Toolchain", class("pre", "lines", clip(&provenance.rustc, 1_000))),
        ("Cargo.lock", ["SHA-256 ".into(), code(&provenance.cargo_lock_sha256)].into()),
        (
            "Host",
            format!(
                "{}, {}; CUDA usable: {}",
                environment.os,
                environment.arch,
                if environment.cuda_available { "yes" } else { "no" }
            )
            .into(),
        ),
        ("Looked at", super::parts::list(looked.into_iter(), 20, "metadata.json")),
    ];
    if let Some(kit) = &provenance.kit {
        let words = format!(
            "; profile {}, {}. Commit, toolchain and build settings are those that its maker wrote down; SHA-256 ",
            kit.profile, kit.cargo
        );
        let told = [clip(&kit.sentence(), 400).into(), clip(&words, 200).into(), code(&kit.sha256)];
        rows.push(("Kit", Html::from(told)));
    }
    if !provenance.build_environment.is_empty() {
        let variables: Vec<Html> =
            provenance.build_environment.iter().map(|(name, value)| code(&format!("{name}={value}"))).collect();
        rows.push(("Build settings", super::parts::list(variables.into_iter(), 40, "provenance.json")));
    }
    let mut html = facts(rows);
    html.push(devices(&provenance.devices));
    html.push(models(&metadata.models));
    html.push(digests("Digests of the test binaries", &provenance.test_binaries));
    html.push(digests("Digests of the kernel images", &provenance.kernel_images));
    if !provenance.driver_libraries.is_empty() {
        html.push(digests("Digests of the driver's libraries", &provenance.driver_libraries));
    }
    html.push(digests("Digests of the library's sources", &provenance.sources));
    html.push(digests("Digests of what the tests were built from", &provenance.test_sources));
    html.push(class(
        "p",
        "fine",
        [file_link("provenance.json"), " and ".into(), file_link("metadata.json"), { " hold all of this.".into() }],
    ));
    section("provenance", "Provenance", html)
}

fn devices(devices: &[DeviceFacts]) -> Html {
    if devices.is_empty() {
        return plain("p", "No device was recorded.");
    }
    let rows = devices.iter().take(ROWS).map(|device| {
        [
            device.index.to_string().into(),
            plain("b", device.class.to_string()),
            clip(&device.name, 120).into(),
            [grouped(device.total_bytes).into(), class("span", "sub", format!(" {}", bytes(device.total_bytes)))]
                .into(),
            code(&device.uuid.to_string()),
            clip(device.driver_version.as_deref().unwrap_or("none"), 60).into(),
        ]
    });
    let columns = [
        Column::Text("Index"),
        Column::Text("Class"),
        Column::Text("Name"),
        Column::Number("Memory (bytes)"),
        Column::Text("UUID"),
        Column::Text("Driver"),
    ];
    [
        plain("h3", "Devices"),
        table("Devices", Narrow::Stacks, columns, rows),
        more(devices.len(), ROWS, "provenance.json"),
    ]
    .into()
}

fn models(models: &[ModelFile]) -> Html {
    if models.is_empty() {
        return Html::new();
    }
    let number = |value: Option<u64>| value.map_or_else(|| "unknown".to_owned(), grouped);
    let rows = models.iter().take(ROWS).map(|model| {
        [
            code(&model.name),
            clip(&model.format, 40).into(),
            grouped(model.bytes).into(),
            number(model.tensors).into(),
            number(model.header_bytes).into(),
            code(&model.sha256),
            code(&model.tree_digest),
        ]
    });
    let columns = [
        Column::Text("File"),
        Column::Text("Format"),
        Column::Number("Bytes"),
        Column::Number("Tensors"),
        Column::Number("Header (bytes)"),
        Column::Text("SHA-256"),
        Column::Text("fs-verity digest"),
    ];
    [plain("h3", "Models"), table("Models", Narrow::Stacks, columns, rows), more(models.len(), ROWS, "metadata.json")]
        .into()
}

fn digests(title: &'static str, files: &[FileDigest]) -> Html {
    if files.is_empty() {
        return Html::new();
    }
    let rows = files.iter().take(ROWS).map(|file| [code(&file.name), code(&file.sha256)]);
    let summary = plain("summary", [title.into(), " ".into(), class("span", "count", files.len().to_string())]);
    class(
        "details",
        "more-details",
        [
            summary,
            table(title, Narrow::Stacks, [Column::Text("Name"), Column::Text("SHA-256")], rows),
            more(files.len(), ROWS, "provenance.json"),
        ],
    )
}
