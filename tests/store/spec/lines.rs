//! The lines of `spec/*.csv`.

/// A column, as a page has it.
pub(super) struct ColumnLine {
    /// File and number of the line.
    pub(super) at: String,
    pub(super) table: String,
    pub(super) column: String,
    pub(super) class: String,
    pub(super) null: String,
    pub(super) default: String,
    pub(super) key: String,
    pub(super) deviation: Option<String>,
}

/// An index, as a page has it.
pub(super) struct IndexLine {
    pub(super) at: String,
    pub(super) table: String,
    pub(super) index: String,
    pub(super) unique: String,
    pub(super) columns: String,
    pub(super) condition: String,
    pub(super) deviation: Option<String>,
}

pub(super) struct Lines {
    pub(super) columns: Vec<ColumnLine>,
    pub(super) indexes: Vec<IndexLine>,
}

impl Lines {
    pub(super) fn of_all_pages() -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/spec");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let mut all = Self { columns: vec![], indexes: vec![] };
        for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "csv")) {
            let name = file.file_name().unwrap().to_str().unwrap();
            let text = std::fs::read_to_string(file).unwrap();
            match name.ends_with("-indexes.csv") {
                true => all.indexes.extend(indexes(name, &text)),
                false => all.columns.extend(columns(name, &text)),
            }
        }
        all
    }
}

pub(super) fn columns(file: &str, text: &str) -> Vec<ColumnLine> {
    let line = |(at, fields, deviation): (String, [String; 6], Option<String>)| {
        let [table, column, class, null, default, key] = fields;
        ColumnLine { at, table, column, class, null, default, key, deviation }
    };
    rows(file, text, ["table", "column", "class", "null", "default", "key"]).into_iter().map(line).collect()
}

pub(super) fn indexes(file: &str, text: &str) -> Vec<IndexLine> {
    let line = |(at, fields, deviation): (String, [String; 5], Option<String>)| {
        let [table, index, unique, columns, condition] = fields;
        IndexLine { at, table, index, unique, columns, condition, deviation }
    };
    rows(file, text, ["table", "index", "unique", "columns", "where"]).into_iter().map(line).collect()
}

/// The rows of a file whose first line is this header, with or without `deviation` behind it.
fn rows<const N: usize>(file: &str, text: &str, header: [&str; N]) -> Vec<(String, [String; N], Option<String>)> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let first = fields(lines.next().unwrap_or_else(|| panic!("{file} is empty")).1);
    assert!(first[..N.min(first.len())] == header && first[N..].iter().all(|f| f == "deviation"), "{file}: {first:?}");
    let row = |(number, line): (usize, &str)| {
        let at = format!("{file}:{}", number + 1);
        let mut fields = fields(line);
        assert!(fields.len() == N || fields.len() == N + 1, "{at}: {} fields", fields.len());
        let deviation = if fields.len() > N { fields.pop().filter(|why| !why.is_empty()) } else { None };
        (at, fields.try_into().expect("counted above"), deviation)
    };
    lines.map(row).collect()
}

/// The fields of a line; one in quotation marks may hold commas, and doubled quotation marks.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let field = fields.last_mut().expect("never empty");
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => field.push(other),
        }
    }
    fields
}

/// `a b DESC c` is `a`, `b DESC`, `c`; `b:desc` is `b DESC`.
pub(super) fn index_columns(text: &str) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        match (word, columns.last_mut()) {
            ("DESC", Some(last)) => last.push_str(" DESC"),
            ("ASC", Some(_)) => {}
            (column, _) => match column.strip_suffix(":desc") {
                Some(column) => columns.push(format!("{column} DESC")),
                None => columns.push(column.to_owned()),
            },
        }
    }
    columns
}
