//! The order in which things can be made, and which of them follow the load.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use tokio_postgres::Row;

use super::Got;

/// A thing of the server: its class and its number.
pub(super) type Id = (u32, u32);

/// One thing needs another.
pub(super) struct Edge {
    from: Id,
    to: Id,
    /// `w` for its own definition, `d` for a default and `c` for a check of a table, `i` for an
    /// index or a key, which follow the load.
    way: String,
    /// The default or the check.
    part: u32,
}

pub(super) fn edge(row: &Row) -> Got<Edge> {
    Ok(Edge {
        from: (row.try_get(0)?, row.try_get(1)?),
        to: (row.try_get(2)?, row.try_get(3)?),
        way: row.try_get(4)?,
        part: row.try_get(5)?,
    })
}

/// What must be known of a thing to give it a place.
pub(super) struct Node {
    pub(super) id: Id,
    /// Things of a lower rank come first where nothing else decides.
    pub(super) rank: u8,
    /// Whether it holds rows.
    pub(super) table: bool,
    /// Whether it is a view, which follows the load unless a table needs it.
    pub(super) view: bool,
}

/// Where everything goes.
pub(super) struct Order {
    /// The things that come before the load and those that follow it, as indexes of the nodes.
    pub(super) early: Vec<usize>,
    pub(super) late: Vec<usize>,
    /// What each thing needs, as indexes of the nodes.
    pub(super) needs: Vec<Vec<usize>>,
    /// Defaults and checks that what they need comes after.
    pub(super) later: HashSet<u32>,
}

/// Orders nodes, which are in the order that holds within a rank.
pub(super) fn order(nodes: &[Node], edges: &[Edge]) -> Order {
    let places: HashMap<Id, usize> = nodes.iter().enumerate().map(|(at, n)| (n.id, at)).collect();
    let known: Vec<(usize, usize, &Edge)> = edges
        .iter()
        .filter_map(|edge| Some((*places.get(&edge.from)?, *places.get(&edge.to)?, edge)))
        .collect();
    let mut needs = vec![Vec::new(); nodes.len()];
    for (from, to, _) in known.iter().filter(|(.., edge)| edge.way == "w") {
        needs[*from].push(*to);
    }
    let mut later = HashSet::new();
    for (from, to, edge) in known.iter().filter(|(.., edge)| edge.way == "d" || edge.way == "c") {
        match reaches(&needs, *to, *from) {
            true => _ = later.insert(edge.part),
            false => needs[*from].push(*to),
        }
    }
    // What tables and their indexes need is there before them.
    let mut wanted: Vec<usize> = (0..nodes.len()).filter(|at| nodes[*at].table).collect();
    wanted.extend(known.iter().filter(|(from, ..)| nodes[*from].table).map(|(_, to, _)| *to));
    let wanted = closure(&needs, wanted);
    let sorted = sort(nodes, &needs);
    let mut is_late = vec![false; nodes.len()];
    for at in &sorted {
        let follows = nodes[*at].view || needs[*at].iter().any(|need| is_late[*need]);
        is_late[*at] = follows && !wanted.contains(at);
    }
    let (late, early) = sorted.into_iter().partition(|at| is_late[*at]);
    Order { early, late, needs, later }
}

fn reaches(needs: &[Vec<usize>], from: usize, to: usize) -> bool {
    from == to || closure(needs, vec![from]).contains(&to)
}

fn closure(needs: &[Vec<usize>], mut waiting: Vec<usize>) -> HashSet<usize> {
    let mut found = HashSet::new();
    while let Some(at) = waiting.pop() {
        if found.insert(at) {
            waiting.extend(&needs[at]);
        }
    }
    found
}

/// Every thing after those that it needs, else by rank and place. A circle is opened at its first
/// thing; were it a real one, the server would say so.
fn sort(nodes: &[Node], needs: &[Vec<usize>]) -> Vec<usize> {
    let mut open: Vec<BTreeSet<usize>> =
        needs.iter().map(|needs| needs.iter().copied().collect()).collect();
    let mut needed_by = vec![Vec::new(); nodes.len()];
    for (at, needs) in open.iter().enumerate() {
        needs.iter().for_each(|need| needed_by[*need].push(at));
    }
    let place = |at: usize| Reverse((nodes[at].rank, at));
    let mut ready: BinaryHeap<_> =
        (0..nodes.len()).filter(|at| open[*at].is_empty()).map(place).collect();
    let mut sorted = Vec::with_capacity(nodes.len());
    let mut done = vec![false; nodes.len()];
    let mut first_open = 0;
    while sorted.len() < nodes.len() {
        let Some(Reverse((_, at))) = ready.pop() else {
            while done[first_open] {
                first_open += 1;
            }
            ready.push(place(first_open));
            continue;
        };
        if done[at] {
            continue;
        }
        done[at] = true;
        sorted.push(at);
        for other in std::mem::take(&mut needed_by[at]) {
            open[other].remove(&at);
            if open[other].is_empty() && !done[other] {
                ready.push(place(other));
            }
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::{Edge, Node, order};

    fn edge(from: u32, to: u32, way: &str, part: u32) -> Edge {
        Edge { from: (0, from), to: (0, to), way: way.into(), part }
    }

    fn nodes(kinds: &str) -> Vec<Node> {
        let node = |(at, kind): (usize, char)| Node {
            id: (0, u32::try_from(at).expect("few")),
            rank: u8::from(kind != 'f'),
            table: kind == 't',
            view: kind == 'v',
        };
        kinds.chars().enumerate().map(node).collect()
    }

    #[test]
    fn what_is_needed_comes_first_and_views_follow_the_load_unless_a_table_needs_them() {
        // A function of a table, a view of it, a table of the second view, a function of the first.
        let made = order(
            &nodes("ftvvtf"),
            &[
                edge(0, 1, "w", 0),
                edge(2, 1, "w", 0),
                edge(3, 1, "w", 0),
                edge(4, 3, "w", 0),
                edge(5, 2, "w", 0),
            ],
        );
        assert_eq!((made.early, made.late), (vec![1, 0, 3, 4], vec![2, 5]));
    }

    #[test]
    fn a_check_that_needs_its_own_table_follows() {
        let made = order(&nodes("tf"), &[edge(1, 0, "w", 0), edge(0, 1, "c", 77)]);
        assert_eq!((made.early, made.late), (vec![0, 1], vec![]));
        assert!(made.later.contains(&77));
    }

    #[test]
    fn a_circle_ends() {
        let made = order(&nodes("fff"), &[edge(0, 1, "w", 0), edge(1, 0, "w", 0)]);
        assert_eq!(made.early, [2, 0, 1]);
    }
}
