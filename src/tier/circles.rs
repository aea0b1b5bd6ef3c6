//! Which roles call each other in a circle.

/// The strongly connected components of a graph.
pub(super) struct Circles {
    /// The component of each node.
    pub of: Vec<usize>,
    pub count: usize,
}

/// Tarjan's algorithm ("Depth-first search and linear graph algorithms", 1972), without recursion. Components are numbered
/// callees first.
pub(super) fn circles(next: &[Vec<usize>]) -> Circles {
    const NEW: usize = usize::MAX;
    let count = next.len();
    let (mut index, mut low, mut of) = (vec![NEW; count], vec![0; count], vec![NEW; count]);
    let (mut stack, mut clock, mut found) = (Vec::new(), 0, 0);
    for root in 0..count {
        let mut path: Vec<(usize, usize)> = if index[root] == NEW { vec![(root, 0)] } else { Vec::new() };
        while let Some((node, step)) = path.pop() {
            if step == 0 {
                (index[node], low[node]) = (clock, clock);
                clock += 1;
                stack.push(node);
            } else if let Some(before) = next[node].get(step - 1) {
                low[node] = low[node].min(low[*before]);
            }
            let further = next[node].get(step..).into_iter().flatten().enumerate();
            let mut descend = None;
            for (n, to) in further {
                if index[*to] == NEW {
                    descend = Some((step + n + 1, *to));
                    break;
                }
                if of[*to] == NEW {
                    low[node] = low[node].min(index[*to]);
                }
            }
            if let Some((resume, to)) = descend {
                path.extend([(node, resume), (to, 0)]);
            } else if low[node] == index[node] {
                while let Some(member) = stack.pop() {
                    of[member] = found;
                    if member == node {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    Circles { of, count: found }
}
