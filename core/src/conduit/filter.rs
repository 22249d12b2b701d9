//! Which items take part: include and exclude patterns, and the ignore rules of the index; and in selective mode what
//! the target holds of them. Pure: rules and pins come in as plain values.

use std::collections::HashMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

use crate::delta::Scope;
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::RelPath;

use super::selection::{Selection, SelectionRule};

/// Patterns as a user writes them (`sync_conduit.filters`).
///
/// A pattern without a slash is matched against the last component at any depth (`*.tmp`), one with a slash against
/// the whole path from the root (`build/**`). `*` and `?` stop at a slash, `**` does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filters {
    /// When there are any, a file takes part only if one of them matches it. Directories are always looked into.
    #[serde(default)]
    pub include: Vec<String>,
    /// What one of them matches does not take part; of a directory, nothing beneath it does.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Hidden and temporary files do not take part (`sync_conduit.use_index_rules`).
    #[serde(default)]
    pub index_rules: bool,
}

/// Temporary files and litter of desktops, left out by the ignore rules of the index beside hidden files.
const LITTER: [&str; 8] = ["*~", "*.tmp", "*.temp", "*.swp", "*.part", "*.crdownload", "Thumbs.db", "desktop.ini"];

/// Filters made ready.
pub(crate) struct Filter {
    include: Option<GlobSet>,
    exclude: GlobSet,
    hidden: bool,
    /// Selective mode: what the target should hold.
    chosen: Chosen,
}

/// What selective mode holds at the target: pins, then rules, then the include patterns, else everything.
#[derive(Default)]
struct Chosen {
    pins: HashMap<RelPath, bool>,
    rules: GlobSet,
    is_included: Vec<bool>,
    include: Option<GlobSet>,
}

impl Filters {
    /// Makes the patterns ready. With a selection, which is selective mode, the include patterns choose what the target
    /// holds instead of what takes part.
    pub(crate) fn compile(&self, selection: Option<&Selection>) -> Result<Filter> {
        let mut exclude = self.exclude.clone();
        if self.index_rules {
            exclude.extend(LITTER.map(String::from));
        }
        let include = if self.include.is_empty() { None } else { Some(globs(&self.include)?) };
        let (include, chosen) = match selection {
            None => (include, Chosen::default()),
            Some(selection) => (None, Chosen::new(selection, include)?),
        };
        Ok(Filter { include, exclude: globs(&exclude)?, hidden: self.index_rules, chosen })
    }

    /// Tells one set of patterns from another.
    pub(crate) fn fingerprint(&self) -> String {
        let text = format!("{:?}|{:?}|{}", self.include, self.exclude, self.index_rules);
        ContentHash::of(text.as_bytes()).to_string()
    }
}

/// Refuses a pattern that cannot be used.
pub(crate) fn check_rules(rules: &[SelectionRule]) -> Result<()> {
    if rules.iter().any(|rule| rule.pattern.trim_matches('/').is_empty()) {
        return Err(Error::new(Code::Invalid, "read the pattern", "''").because("it is empty"));
    }
    Chosen::new(&Selection { rules: rules.to_vec(), pins: Vec::new() }, None).map(|_| ())
}

impl Chosen {
    fn new(selection: &Selection, include: Option<GlobSet>) -> Result<Self> {
        let patterns: Vec<String> = selection.rules.iter().map(|rule| rule.pattern.clone()).collect();
        Ok(Self {
            pins: selection.pins.iter().map(|pin| (pin.path.clone(), pin.is_held)).collect(),
            rules: globs(&patterns)?,
            is_included: selection.rules.iter().map(|rule| rule.is_included).collect(),
            include,
        })
    }

    fn holds(&self, path: &RelPath) -> bool {
        let above = || std::iter::successors(Some(path.clone()), RelPath::parent);
        if !self.pins.is_empty()
            && let Some(is_held) = above().find_map(|path| self.pins.get(&path).copied())
        {
            return is_held;
        }
        if !self.is_included.is_empty() {
            let matches = above().filter(|path| !path.is_root()).flat_map(|path| self.rules.matches(as_path(&path)));
            if let Some(rule) = matches.min() {
                return self.is_included[rule];
            }
        }
        self.include.as_ref().is_none_or(|set| set.is_match(as_path(path)))
    }
}

fn globs(patterns: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let refuse = |e: globset::Error| {
            Error::new(Code::Invalid, "read the pattern", pattern)
                .because(e.kind())
                .advise("see the patterns of globset")
        };
        let text = pattern.trim_end_matches('/');
        let anchored = match text.strip_prefix('/') {
            Some(rest) => rest.to_owned(),
            None if text.contains('/') => text.to_owned(),
            None => format!("**/{text}"),
        };
        set.add(GlobBuilder::new(&anchored).literal_separator(true).build().map_err(refuse)?);
    }
    set.build().map_err(|e| Error::new(Code::Invalid, "read the patterns", "").because(e))
}

/// The path as the matcher wants it; what is not Unicode is matched as bytes where the platform has byte paths.
fn as_path(path: &RelPath) -> std::borrow::Cow<'_, std::path::Path> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        std::borrow::Cow::Borrowed(std::path::Path::new(std::ffi::OsStr::from_bytes(path.as_bytes())))
    }
    #[cfg(not(unix))]
    {
        std::borrow::Cow::Owned(String::from_utf8_lossy(path.as_bytes()).into_owned().into())
    }
}

impl Scope for Filter {
    fn includes(&self, path: &RelPath, is_dir: bool) -> bool {
        if self.hidden && path.name().is_some_and(|n| n.as_bytes().starts_with(b".")) {
            return false;
        }
        if self.exclude.is_empty() && self.include.is_none() {
            return true;
        }
        let path = as_path(path);
        !self.exclude.is_match(&path) && (is_dir || self.include.as_ref().is_none_or(|set| set.is_match(&path)))
    }

    fn selects(&self, path: &RelPath) -> bool {
        self.chosen.holds(path)
    }

    fn has_filter(&self) -> bool {
        self.hidden || !self.exclude.is_empty() || self.include.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> Filter {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        Filters { include: own(include), exclude: own(exclude), index_rules: false }.compile(None).unwrap()
    }

    fn path(text: &str) -> RelPath {
        RelPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_pattern_without_a_slash_matches_at_any_depth() {
        let f = filter(&[], &["*.tmp"]);
        assert!(!f.includes(&path("a/b/c.tmp"), false));
        assert!(f.includes(&path("a/b/c.txt"), false));
    }

    #[test]
    fn a_pattern_with_a_slash_is_anchored_at_the_root() {
        let f = filter(&[], &["build/*"]);
        assert!(!f.includes(&path("build/x"), true));
        assert!(f.includes(&path("src/build/x"), false));
        assert!(f.includes(&path("build"), true));
    }

    #[test]
    fn includes_choose_files_and_never_hide_directories() {
        let f = filter(&["*.rs"], &[]);
        assert!(f.includes(&path("a"), true));
        assert!(f.includes(&path("a/b.rs"), false));
        assert!(!f.includes(&path("a/b.txt"), false));
    }

    #[test]
    fn an_invalid_pattern_is_one_clear_error() {
        let error = Filters { exclude: vec!["a[".into()], ..Filters::default() }.compile(None).err().unwrap();
        assert_eq!(error.code(), Code::Invalid);
        assert!(error.to_string().contains("a["), "{error}");
    }

    #[test]
    fn index_rules_leave_out_hidden_and_temporary_files() {
        let f = Filters { index_rules: true, ..Filters::default() }.compile(None).unwrap();
        assert!(!f.includes(&path(".git"), true));
        assert!(!f.includes(&path("a/b~"), false));
        assert!(f.includes(&path("a/b"), false));
    }

    /// `+pattern` and `-pattern` are rules, `+/path` and `-/path` are pins.
    fn selects(words: &[&str], include: &[&str], file: &str) -> bool {
        let mut selection = Selection::default();
        for word in words {
            let (sign, text) = word.split_at(1);
            let is_held = sign == "+";
            match text.strip_prefix('/') {
                Some(text) => selection.pins.push(crate::conduit::Pin { path: path(text), is_held }),
                None => selection.rules.push(SelectionRule { pattern: text.into(), is_included: is_held }),
            }
        }
        let include = include.iter().map(|s| (*s).to_owned()).collect();
        let filters = Filters { include, ..Filters::default() };
        filters.compile(Some(&selection)).unwrap().selects(&path(file))
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        for (rules, file, is_held) in [
            (&["+*.jpg", "-**"][..], "a/b.jpg", true),
            (&["+*.jpg", "-**"], "a/b.png", false),
            (&["-**", "+*.jpg"], "a/b.jpg", false),
            (&["-photos", "+*.jpg"], "photos/2024/b.jpg", false),
            (&["-photos", "+*.jpg"], "holiday photos/b.jpg", true),
            (&["+photos/2024", "-photos"], "photos/2024/b.jpg", true),
            (&["+photos/2024", "-photos"], "photos/2023/b.jpg", false),
            (&["-photos"], "other/x", true),
            (&[], "anything", true),
        ] {
            assert_eq!(selects(rules, &[], file), is_held, "{rules:?} of {file}");
        }
    }

    #[test]
    fn the_deepest_pin_outranks_every_rule() {
        for (words, file, is_held) in [
            (&["-**", "+/keep"][..], "keep", true),
            (&["-**", "+/keep"], "keep/a/b", true),
            (&["-**", "+/keep"], "keep-not", false),
            (&["+/a", "-/a/b"], "a/b/c", false),
            (&["-/a", "+/a/b"], "a/b/c", true),
            (&["-/a"], "b", true),
            (&["-/"], "b", false),
        ] {
            assert_eq!(selects(words, &[], file), is_held, "{words:?} of {file}");
        }
    }

    #[test]
    fn include_patterns_choose_where_no_rule_matches() {
        assert!(selects(&["-secret"], &["*.jpg"], "a.jpg"));
        assert!(!selects(&["-secret"], &["*.jpg"], "a.png"));
        assert!(!selects(&["-secret"], &["*.jpg"], "secret/a.jpg"));
        assert!(selects(&["+*.png"], &["*.jpg"], "a.png"));
    }

    #[test]
    fn a_walk_without_patterns_need_not_ask() {
        assert!(!filter(&[], &[]).has_filter());
        assert!(filter(&["*"], &[]).has_filter() && filter(&[], &["x"]).has_filter());
    }
}
