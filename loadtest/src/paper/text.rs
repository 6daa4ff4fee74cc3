//! A paper on a terminal. Plots are left out.

use comfy_table::{CellAlignment, Table as Grid, presets};

use super::{Paper, Section, Table};

/// All of it.
pub fn write(paper: &Paper) -> String {
    let mut text = format!("{}\n{}\n", paper.title, paper.summary);
    for section in &paper.sections {
        text += "\n";
        text += &section_text(section);
    }
    text
}

/// One section.
pub fn section_text(section: &Section) -> String {
    let mut text = if section.title.is_empty() { String::new() } else { format!("{}\n", section.title) };
    section.words.iter().for_each(|words| text += &format!("{words}\n"));
    section.tables.iter().for_each(|table| text += &format!("{}\n", grid(table)));
    text
}

fn grid(table: &Table) -> Grid {
    let mut grid = Grid::new();
    grid.load_style(presets::UTF8_FULL_CONDENSED).set_header(&table.header);
    for column in grid.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.rows.iter().for_each(|row| {
        grid.add_row(row);
    });
    grid
}
