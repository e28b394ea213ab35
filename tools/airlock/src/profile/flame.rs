//! A flame graph: each function is as wide as its share, and stands on its caller.

use super::tree::{Node, Tree, percent};
use plot::escaped;
use std::fmt::Write;

const WIDTH: f64 = 1200.0;
const ROW: f64 = 18.0;
/// Functions below this width, in units of the picture, are left away.
const THIN: f64 = 0.4;
const TOP: f64 = 44.0;
/// Width of a letter.
const LETTER: f64 = 6.6;

/// The picture, as SVG that needs nothing else; the browser shows names and shares under the pointer.
pub fn graph(tree: &Tree, title: &str) -> String {
    let rows = depth(&tree.root, WIDTH);
    let height = TOP + rows * ROW + 8.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         font-family=\"monospace\" font-size=\"11\"><style>text{{fill:#1d2125;pointer-events:none}}\
         rect{{stroke:#fff;stroke-width:.5}}rect:hover{{stroke:#000}}</style>\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\
         <text x=\"8\" y=\"18\" font-size=\"14\">{}: {} instructions, QEMU TCG</text>\
         <text x=\"8\" y=\"34\">as wide as its share of all instructions, on top of its caller</text>",
        escaped(title),
        tree.root.total
    );
    let bottom = height - 8.0 - ROW;
    draw(&mut svg, &tree.root, (0.0, bottom, WIDTH), tree.root.total);
    svg.push_str("</svg>\n");
    svg
}

/// Rows that are wide enough to be drawn.
fn depth(node: &Node, width: f64) -> f64 {
    let deepest = node
        .children
        .values()
        .map(|child| (child, width * share(child.total, node.total)))
        .filter(|(_, width)| *width >= THIN)
        .map(|(child, width)| 1.0 + depth(child, width));
    deepest.fold(0.0, f64::max)
}

fn draw(svg: &mut String, node: &Node, (left, y, width): (f64, f64, f64), all: u64) {
    let mut x = left;
    for (name, child) in &node.children {
        let part = width * share(child.total, node.total);
        if part >= THIN {
            let _fits = write!(
                svg,
                "<g><title>{0}: {1} %, {2} % of its own</title>\
                 <rect x=\"{x:.2}\" y=\"{y:.1}\" width=\"{part:.2}\" height=\"{ROW}\" fill=\"{3}\"/>",
                escaped(name),
                percent(child.total, all),
                percent(child.own, all),
                colour(name),
            );
            if let Some(label) = label(name, part) {
                let _fits = write!(
                    svg,
                    "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    x + 3.0,
                    y + 12.5,
                    escaped(&label)
                );
            }
            svg.push_str("</g>");
            draw(svg, child, (x, y - ROW, part), all);
        }
        x += part;
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share of a picture's width needs three digits"
)]
fn share(part: u64, all: u64) -> f64 {
    part as f64 / all.max(1) as f64
}

/// As much of a name as fits; its end says most.
fn label(name: &str, width: f64) -> Option<String> {
    let mut room = width - 6.0;
    let letters: Vec<char> = name
        .chars()
        .rev()
        .take_while(|_| {
            room -= LETTER;
            room >= 0.0
        })
        .collect();
    (letters.len() > 2).then(|| letters.into_iter().rev().collect())
}

/// The same colour for the same crate.
fn colour(name: &str) -> String {
    let crate_name = name.trim_start_matches(['<', '&']).split("::").next();
    let hash = crate_name
        .unwrap_or(name)
        .bytes()
        .fold(7_u32, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u32::from(byte))
        });
    format!("hsl({} 60% 76%)", hash % 360)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_as_wide_as_its_share() {
        let mut tree = Tree::default();
        tree.root.total = 100;
        let wide = Node {
            total: 75,
            own: 75,
            ..Node::default()
        };
        tree.root.children.insert("net::<poll>".into(), wide);
        let svg = graph(&tree, "hello");
        assert!(svg.contains("width=\"900.00\""), "{svg}");
        assert!(svg.contains("net::&lt;poll&gt;: 75.0 %"), "{svg}");
    }

    #[test]
    fn a_label_never_leaves_its_box() {
        assert_eq!(
            label("net::stack::poll", 40.0).as_deref(),
            Some("_poll").map(|_| ":poll")
        );
        assert_eq!(label("net::stack::poll", 12.0), None);
    }
}
