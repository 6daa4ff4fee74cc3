//! Plots as SVG, drawn by hand: axes with round numbers, lines with a dot for each point, and a legend.

use super::html::escaped;

mod scale;

use scale::Scale;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 260.0;
/// Room around what is drawn: left, right, top, bottom.
const ROOM: [f64; 4] = [58.0, 14.0, 30.0, 58.0];
/// Told apart also by those who see fewer colours.
const COLOURS: [&str; 8] = ["#2f6fde", "#d1495b", "#2a9d6f", "#e08a1e", "#8352c4", "#4d9db8", "#b0683a", "#7a7d87"];
/// Points of a line from which on they have no dots.
const DOTTED: usize = 60;
/// Lines that the legend has room for.
const LINES: usize = 8;

/// Lines over two axes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// What goes to the right.
    pub across: String,
    /// What goes up.
    pub up: String,
    /// Whether every step to the right is ten times as much.
    pub log_across: bool,
    /// Whether every step upwards is ten times as much.
    pub log_up: bool,
    /// At most eight lines.
    pub series: Vec<Series>,
}

/// One line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A line with a name.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self { name: name.into(), points: points.into_iter().collect() }
    }
}

impl Plot {
    /// An empty one.
    pub fn new(title: &str, across: &str, up: &str) -> Self {
        Self { title: title.into(), across: across.into(), up: up.into(), ..Self::default() }
    }

    /// The same with one more line, unless it has no points or there are too many.
    #[must_use]
    pub fn line(mut self, series: Series) -> Self {
        if !series.points.is_empty() && self.series.len() < LINES {
            self.series.push(series);
        }
        self
    }

    /// The picture.
    pub fn svg(&self) -> String {
        let [left, right, top, bottom] = ROOM;
        let finite = || self.series.iter().flat_map(|series| &series.points).filter(|(x, y)| (x + y).is_finite());
        let across = Scale::over(finite().map(|point| point.0), self.log_across, (left, WIDTH - right));
        let up = Scale::over(finite().map(|point| point.1), self.log_up, (HEIGHT - bottom, top));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" role=\"img\">\n<title>{0}</title>\n<text class=\"title\" x=\"{left}\" y=\"16\">{0}</text>\n",
            escaped(&self.title)
        );
        svg += &self.axes(&across, &up);
        for (number, series) in self.series.iter().enumerate() {
            svg += &line(series, COLOURS[number % COLOURS.len()], (&across, &up));
        }
        svg + &self.legend() + "</svg>\n"
    }

    fn axes(&self, across: &Scale, up: &Scale) -> String {
        let [left, right, top, bottom] = ROOM;
        let (end, ground) = (WIDTH - right, HEIGHT - bottom);
        let mut svg = String::new();
        for (at, name) in up.marks() {
            svg += &format!("<line class=\"grid\" x1=\"{left}\" x2=\"{end}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\n");
            svg += &label((left - 6.0, at + 4.0), "end", &name);
        }
        for (at, name) in across.marks() {
            svg += &format!("<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top}\" y2=\"{ground}\"/>\n");
            svg += &label((at, ground + 14.0), "middle", &name);
        }
        svg += &label((f64::midpoint(left, end), ground + 29.0), "middle", &self.across);
        let middle = f64::midpoint(top, ground);
        let turned = format!("transform=\"rotate(-90 12 {middle})\"");
        svg + &format!("<text x=\"12\" y=\"{middle}\" text-anchor=\"middle\" {turned}>{}</text>\n", escaped(&self.up))
    }

    /// One name after the other below the plot.
    fn legend(&self) -> String {
        let (mut svg, mut at) = (String::new(), ROOM[0]);
        for (number, series) in self.series.iter().enumerate() {
            let (colour, y) = (COLOURS[number % COLOURS.len()], HEIGHT - 8.0);
            let place = format!("x=\"{at:.0}\" y=\"{}\"", y - 8.0);
            svg += &format!("<rect {place} width=\"9\" height=\"9\" fill=\"{colour}\"/>\n");
            svg += &label((at + 13.0, y), "start", &series.name);
            at += 24.0 + 6.2 * series.name.chars().count() as f64;
        }
        svg
    }
}

fn label((x, y): (f64, f64), anchor: &str, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>\n", escaped(text))
}

fn line(series: &Series, colour: &str, (across, up): (&Scale, &Scale)) -> String {
    let points: Vec<_> = series.points.iter().filter(|(x, y)| (x + y).is_finite()).collect();
    let places: Vec<_> = points.iter().map(|(x, y)| (across.place(*x), up.place(*y))).collect();
    let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let mut svg =
        format!("<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" points=\"{}\"/>\n", path.join(" "));
    if places.len() <= DOTTED {
        for (x, y) in places {
            svg += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\" fill=\"{colour}\"/>\n");
        }
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_is_well_formed_and_every_point_is_inside() {
        let points = (0..50).map(|n| (f64::from(n), f64::from(n * n) - 100.0));
        let plot = Plot::new("a < b", "s", "ms").line(Series::new("one & two", points));
        let svg = plot.svg();
        assert!(svg.contains("a &lt; b") && svg.contains("one &amp; two"), "{svg}");
        for tag in ["svg", "text", "title"] {
            let (opened, closed) = (svg.matches(&format!("<{tag}")).count(), svg.matches(&format!("</{tag}>")).count());
            assert_eq!(opened, closed, "{tag}");
        }
        let number = |text: &str, name: &str| -> f64 {
            text.split_once(&format!("{name}=\"")).unwrap().1.split_once('"').unwrap().0.parse().unwrap()
        };
        let circles: Vec<_> = svg.lines().filter(|line| line.starts_with("<circle")).collect();
        assert_eq!(circles.len(), 50);
        for circle in circles {
            assert!((ROOM[0]..=WIDTH - ROOM[1]).contains(&number(circle, "cx")), "{circle}");
            assert!((ROOM[2]..=HEIGHT - ROOM[3]).contains(&number(circle, "cy")), "{circle}");
        }
    }

    #[test]
    fn what_is_not_finite_and_what_is_empty_is_drawn_without_it() {
        let plot = Plot { log_up: true, ..Plot::new("t", "x", "y") };
        let svg = plot.line(Series::new("s", [(1.0, f64::INFINITY), (2.0, 0.0), (3.0, 5.0)])).svg();
        assert!(!svg.contains("inf") && !svg.contains("NaN"), "{svg}");
        assert!(!Plot::default().svg().contains("NaN"));
    }
}
