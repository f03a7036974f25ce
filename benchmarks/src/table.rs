//! Tables, for a terminal and for docs/benchmarks.md.

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Columns padded with spaces.
    Plain,
    /// As Markdown.
    Markdown,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    title: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    /// An empty one.
    pub fn new(title: &str, head: &[&str]) -> Self {
        Self {
            title: title.into(),
            head: head.iter().map(|&cell| cell.into()).collect(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Adds a sentence below.
    pub fn note(&mut self, text: &str) {
        self.notes.push(text.into());
    }

    /// All of it as text.
    pub fn render(&self, style: Style) -> String {
        let mut text = match style {
            Style::Plain => format!("{}\n\n", self.title),
            Style::Markdown => format!("### {}\n\n", self.title),
        };
        let widths = self.widths();
        text += &line(&self.head, &widths, style);
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        text += &line(&rule, &widths, style);
        for row in &self.rows {
            text += &line(row, &widths, style);
        }
        for note in &self.notes {
            text += &format!("\n{note}\n");
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let column = |at: usize| {
            let cells = self.rows.iter().chain([&self.head]);
            let widths = cells
                .filter_map(|row| row.get(at))
                .map(|cell| cell.chars().count());
            widths.max().unwrap_or(0)
        };
        (0..self.head.len()).map(column).collect()
    }
}

fn line(cells: &[String], widths: &[usize], style: Style) -> String {
    let padded = cells.iter().zip(widths);
    let padded: Vec<String> = padded
        .map(|(cell, width)| format!("{cell:<width$}"))
        .collect();
    match style {
        Style::Plain => format!("{}\n", padded.join("  ").trim_end()),
        Style::Markdown => format!("| {} |\n", padded.join(" | ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_the_same_in_both_styles() {
        let mut table = Table::new("T", &["who", "ms"]);
        table.row(vec!["us".into(), "1".into()]);
        table.row(vec!["a neighbour".into(), "22".into()]);
        let plain = "T\n\nwho          ms\n-----------  --\nus           1\na neighbour  22\n";
        assert_eq!(table.render(Style::Plain), plain);
        let markdown = table.render(Style::Markdown);
        assert!(
            markdown.contains("| who         | ms |\n| ----------- | -- |\n| us          | 1  |\n")
        );
    }
}
