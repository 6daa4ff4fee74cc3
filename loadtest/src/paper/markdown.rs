//! A paper as Markdown. Plots are left out: the page has them.

use super::{Paper, Section, Table};

/// All of it.
pub fn write(paper: &Paper) -> String {
    let sections: String = paper.sections.iter().map(section_text).collect();
    format!("# {}\n\n{}\n{sections}", escaped(&paper.title), escaped(&paper.summary))
}

fn section_text(section: &Section) -> String {
    let mut text = format!("\n## {}\n", escaped(&section.title));
    section.words.iter().for_each(|words| text += &format!("\n{}\n", escaped(words)));
    section.tables.iter().for_each(|table| text += &table_text(table));
    text
}

fn table_text(table: &Table) -> String {
    let line = |cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!(" {} |", escaped(cell))).collect();
        format!("|{cells}\n")
    };
    let rule: String = (0..table.header.len()).map(|column| if column == 0 { " --- |" } else { " ---: |" }).collect();
    let rows: String = table.rows.iter().map(|row| line(row)).collect();
    format!("\n{}|{rule}\n{rows}", line(&table.header))
}

/// What would be read as something else than text.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_cell_for_each_name_and_its_bars_are_its_own() {
        let mut table = Table::new(&["what", "a|b"]);
        table.row("x", ["1|2"]);
        let section = Section::new("S").say("said").table(table);
        let paper = Paper { title: "T".into(), summary: "s".into(), sections: vec![section] };
        let wanted = "# T\n\ns\n\n## S\n\nsaid\n\n| what | a\\|b |\n| --- | ---: |\n| x | 1\\|2 |\n";
        assert_eq!(write(&paper), wanted);
    }
}
