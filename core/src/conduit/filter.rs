//! Which items take part: include and exclude patterns, and the ignore rules of the index.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

use crate::delta::Scope;
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::RelPath;

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
    /// Selective mode: what the target should hold, when `include` chooses rather than filters.
    selects: Option<GlobSet>,
}

impl Filters {
    /// Makes the patterns ready. In selective mode (`chooses`) the include patterns choose what the target holds
    /// instead of what takes part.
    pub(crate) fn compile(&self, chooses: bool) -> Result<Filter> {
        let mut exclude = self.exclude.clone();
        if self.index_rules {
            exclude.extend(LITTER.map(String::from));
        }
        let include = if self.include.is_empty() { None } else { Some(globs(&self.include)?) };
        let (include, selects) = if chooses { (None, include) } else { (include, None) };
        Ok(Filter { include, exclude: globs(&exclude)?, hidden: self.index_rules, selects })
    }

    /// Tells one set of patterns from another.
    pub(crate) fn fingerprint(&self) -> String {
        let text = format!("{:?}|{:?}|{}", self.include, self.exclude, self.index_rules);
        ContentHash::of(text.as_bytes()).to_string()
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

    fn has_filter(&self) -> bool {
        self.hidden || self.include.is_some() || !self.exclude.is_empty()
    }

    fn selects(&self, path: &RelPath) -> bool {
        self.selects.as_ref().is_none_or(|set| set.is_match(as_path(path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> Filter {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        Filters { include: own(include), exclude: own(exclude), index_rules: false }.compile(false).unwrap()
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
        let error = Filters { exclude: vec!["a[".into()], ..Filters::default() }.compile(false).err().unwrap();
        assert_eq!(error.code(), Code::Invalid);
        assert!(error.to_string().contains("a["), "{error}");
    }

    #[test]
    fn index_rules_leave_out_hidden_and_temporary_files() {
        let f = Filters { index_rules: true, ..Filters::default() }.compile(false).unwrap();
        assert!(!f.includes(&path(".git"), true));
        assert!(!f.includes(&path("a/b~"), false));
        assert!(f.includes(&path("a/b"), false));
    }
}
