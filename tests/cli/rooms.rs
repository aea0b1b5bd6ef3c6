//! The rooms of the library: what each imports is what docs/architecture.md says that it may.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

type Rooms = BTreeMap<String, BTreeSet<String>>;

/// What a room may import that may import everything.
const ALL: &str = "all";

/// Every room with what it may import: the table of docs/architecture.md.
fn allowed() -> Rooms {
    let text = fs::read_to_string("docs/architecture.md").expect("the architecture");
    let (_, table) = text.split_once("| room | may import |").expect("the table of rooms");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        // between backquotes: every second piece
        let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
        let imports = if cells[2] == ALL { BTreeSet::from([ALL.to_owned()]) } else { names(cells[2]) };
        (names(cells[1]).pop_first().expect("a room"), imports)
    };
    rows.map(row).collect()
}

/// Every room with what it imports, tests left out: they may look further.
fn imported() -> Rooms {
    let mut rooms = Rooms::new();
    for entry in fs::read_dir("src").expect("the sources").flatten() {
        let path = entry.path();
        let room = path.file_stem().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        if !["lib", "main"].contains(&room.as_str()) {
            collect(&path, rooms.entry(room).or_default());
        }
    }
    let known: BTreeSet<String> = rooms.keys().cloned().collect();
    for (room, imports) in &mut rooms {
        imports.retain(|import| import != room && known.contains(import));
    }
    rooms
}

fn collect(path: &Path, imports: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a room").flatten() {
            collect(&entry.path(), imports);
        }
    } else if path.extension().is_some_and(|it| it == "rs") && !path.to_string_lossy().contains("/tests") {
        let text = fs::read_to_string(path).expect("a file of a room");
        let (code, _) = text.split_once("#[cfg(test)]\nmod ").unwrap_or((&text, ""));
        for (at, found) in code.match_indices("crate::") {
            imports.extend(firsts(&code[at + found.len()..]));
        }
    }
}

/// The first names of a path behind `crate::`: of one, or of all in braces.
fn firsts(path: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut names, mut depth, mut is_next) = (Vec::new(), 0, true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' => is_next |= depth == 0,
            c if is_next && !c.is_whitespace() => {
                names.push(name(&list[at..]));
                is_next = false;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn a_room_imports_what_the_architecture_allows() {
    let (allowed, imported) = (allowed(), imported());
    let names = |rooms: &Rooms| rooms.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&allowed), names(&imported), "the table has all rooms, and no others");
    for (room, imports) in imported.iter().filter(|(room, _)| !allowed[*room].contains(ALL)) {
        assert_eq!(imports, &allowed[room], "what `{room}` imports, and what docs/architecture.md names");
    }
}

#[test]
fn imports_are_read_as_the_compiler_reads_them() {
    assert_eq!(firsts("model::{Hour, Span};"), ["model"]);
    assert_eq!(firsts("{\n    capture::{self, Frame},\n    model::Hour,\n};\nuse super::x;"), ["capture", "model"]);
}
