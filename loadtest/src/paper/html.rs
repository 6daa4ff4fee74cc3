//! A paper as one page that needs nothing else: no script, no style, font or picture from anywhere.

use super::{Paper, Section, Table};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c1d21; --soft: #6b6e78; --line: #d9dbe1; --ground: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e7ea; --soft: #9a9da8; --line: #3a3c45; --ground: #16171b; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); margin: 2rem auto;
  max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p { margin: .4rem 0; } .plots { display: flex; flex-wrap: wrap; gap: 1rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th { color: var(--soft); font-weight: 600; } th:first-child, td:first-child { text-align: left; }
svg { max-width: 100%; height: auto; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
svg .title { fill: var(--ink); font-weight: 600; font-size: 13px; } svg .grid { stroke: var(--line); }
";

/// All of it.
pub fn write(paper: &Paper) -> String {
    let (title, summary) = (escaped(&paper.title), escaped(&paper.summary));
    let sections: String = paper.sections.iter().map(section_text).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p>{summary}</p>\n\
         {sections}</body>\n</html>\n"
    )
}

fn section_text(section: &Section) -> String {
    let mut text = format!("<section>\n<h2>{}</h2>\n", escaped(&section.title));
    section.words.iter().for_each(|words| text += &format!("<p>{}</p>\n", escaped(words)));
    if !section.plots.is_empty() {
        let plots: String = section.plots.iter().map(super::Plot::svg).collect();
        text += &format!("<div class=\"plots\">\n{plots}</div>\n");
    }
    section.tables.iter().for_each(|table| text += &table_text(table));
    text + "</section>\n"
}

fn table_text(table: &Table) -> String {
    let line = |cells: &[String], tag: &str| {
        let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = table.rows.iter().map(|row| line(row, "td")).collect();
    format!("<div class=\"wide\"><table>\n{}{rows}</table></div>\n", line(&table.header, "th"))
}

/// What would be read as something else than text.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
