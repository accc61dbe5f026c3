//! Where an owner's Maildir lies: a template such as `{data}/mail/{user}/Maildir`.
//!
//! In: the template and owners' names. Out: paths. A name is data: it fills its placeholder as it
//! is, is never expanded, and can neither add a component to the path nor leave the place the
//! template gives it.

use std::path::{Path, PathBuf};

use restante_maildrop::Owner;

/// A parsed template. `{user}` is the whole name, `{local}` what stands before its last `@`,
/// `{domain}` what stands behind it, and `{data}`, at the beginning only, the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    /// The components below the root, from the first that depends on the owner.
    components: Vec<Vec<Piece>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    User,
    Local,
    Domain,
}

impl Layout {
    /// Reads a template.
    ///
    /// # Errors
    /// [`LayoutError`] says what is wrong with it.
    pub fn parse(template: &str, data: &Path) -> Result<Self, LayoutError> {
        let (mut root, rest) = match template.strip_prefix("{data}") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => (data.to_owned(), rest),
            Some(_) => return Err(LayoutError::DataNotAlone),
            None if template.starts_with('/') => (PathBuf::from("/"), template),
            None => (PathBuf::new(), template),
        };
        let mut components = Vec::new();
        for component in rest.split('/').filter(|component| !component.is_empty()) {
            let pieces = parse_component(component)?;
            match pieces.as_slice() {
                [Piece::Text(text)] if components.is_empty() => root.push(text),
                _ => components.push(pieces),
            }
        }
        let names_owner = |piece: &Piece| matches!(piece, Piece::User | Piece::Local);
        if components.iter().flatten().any(names_owner) {
            Ok(Self { root, components })
        } else {
            Err(LayoutError::NoOwner)
        }
    }

    /// Where an owner's Maildir lies, whether it exists or not.
    ///
    /// # Errors
    /// [`NoPlace`] when the name cannot fill the template.
    pub fn maildrop(&self, owner: &Owner) -> Result<PathBuf, NoPlace> {
        let mut path = match owner.place() {
            Some(place) => place.to_owned(),
            None => self.filled(owner.as_str())?,
        };
        if let Some(folder) = owner.folder() {
            // Maildir++: a folder lies in its maildrop, behind a dot.
            if folder.contains(['/', '\0']) || folder.starts_with('.') {
                return Err(NoPlace::Unusable);
            }
            path.push(format!(".{folder}"));
        }
        Ok(path)
    }

    /// The template with a name in it.
    fn filled(&self, name: &str) -> Result<PathBuf, NoPlace> {
        let (local, domain) = match name.rsplit_once('@') {
            Some((local, domain)) => (local, Some(domain)),
            None => (name, None),
        };
        let mut path = self.root.clone();
        for pieces in &self.components {
            let mut component = String::new();
            for piece in pieces {
                component.push_str(match piece {
                    Piece::Text(text) => text,
                    Piece::User => name,
                    Piece::Local => local,
                    Piece::Domain => domain.ok_or(NoPlace::NoDomain)?,
                });
            }
            // Owners hold neither, but a path is no place to rely on somebody else's check.
            let breaks_out = component.contains(['/', '\0']);
            if breaks_out || matches!(component.as_str(), "" | "." | "..") {
                return Err(NoPlace::Unusable);
            }
            path.push(component);
        }
        Ok(path)
    }

    /// The folder that holds all maildrops: what the template says before it depends on the owner.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// `component = *( text | "{" placeholder "}" )`
fn parse_component(component: &str) -> Result<Vec<Piece>, LayoutError> {
    let mut pieces = Vec::new();
    let mut rest = component;
    while !rest.is_empty() {
        let (text, placeholder) = match rest.split_once('{') {
            Some((text, behind)) => (text, Some(behind)),
            None => (rest, None),
        };
        if text.contains('}') {
            return Err(LayoutError::Unbalanced);
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        let Some(behind) = placeholder else { break };
        let (placeholder, behind) = behind.split_once('}').ok_or(LayoutError::Unbalanced)?;
        pieces.push(match placeholder {
            "user" => Piece::User,
            "local" => Piece::Local,
            "domain" => Piece::Domain,
            "data" => return Err(LayoutError::DataNotFirst),
            unknown => return Err(LayoutError::Unknown(unknown.to_owned())),
        });
        rest = behind;
    }
    Ok(pieces)
}

/// A template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A placeholder that does not exist.
    #[error("unknown placeholder {{{0}}}: use {{data}}, {{user}}, {{local}} or {{domain}}")]
    Unknown(String),
    /// A brace without its partner.
    #[error("a brace without its partner")]
    Unbalanced,
    /// All owners would share one Maildir.
    #[error("neither {{user}} nor {{local}} is in it, so all users would share one maildrop")]
    NoOwner,
    /// `{data}` somewhere else than at the beginning.
    #[error("{{data}} can only stand at the beginning")]
    DataNotFirst,
    /// `{data}` with something glued to it.
    #[error("{{data}} must be followed by a slash")]
    DataNotAlone,
}

/// An owner has no place in the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoPlace {
    /// The template wants a domain.
    #[error("the user name has no @domain, which the layout of maildrops asks for")]
    NoDomain,
    /// A folder cannot be called that.
    #[error("the user name cannot name a folder in the layout of maildrops")]
    Unusable,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(template: &str, owner: &str) -> Result<String, NoPlace> {
        let layout = Layout::parse(template, Path::new("/srv/data")).unwrap();
        let path = layout.maildrop(&Owner::new(owner).unwrap())?;
        Ok(path.to_str().unwrap().to_owned())
    }

    #[test]
    fn placeholders_are_filled() {
        for (template, owner, path) in [
            ("{data}/mail/{user}/Maildir", "fred", "/srv/data/mail/fred/Maildir"),
            ("{data}/{domain}/{local}", "fred@example.org", "/srv/data/example.org/fred"),
            ("/var/mail/{user}", "fred@example.org", "/var/mail/fred@example.org"),
            ("/m/{domain}/x-{local}.d/Maildir/", "a@b@c", "/m/c/x-a@b.d/Maildir"),
            ("mail/{local}", "fred", "mail/fred"),
            ("{data}/{user}", "{domain}%s${user}", "/srv/data/{domain}%s${user}"),
        ] {
            assert_eq!(place(template, owner).as_deref(), Ok(path), "{template} for {owner}");
        }
    }

    #[test]
    fn the_root_is_what_all_owners_share() {
        for (template, root) in [
            ("{data}/mail/{user}/Maildir", "/srv/data/mail"),
            ("{data}/{user}", "/srv/data"),
            ("/{user}", "/"),
            ("mail/{user}", "mail"),
        ] {
            let layout = Layout::parse(template, Path::new("/srv/data")).unwrap();
            assert_eq!(layout.root(), Path::new(root));
        }
    }

    #[test]
    fn a_folder_lies_in_its_maildrop_behind_a_dot() {
        let layout = Layout::parse("{data}/{user}/Maildir", Path::new("/d")).unwrap();
        let lists = Owner::new("fred").unwrap().in_folder("Lists.rust").unwrap();
        let path = layout.maildrop(&lists).unwrap();
        assert_eq!(path, Path::new("/d/fred/Maildir/.Lists.rust"));
        let elsewhere = layout.maildrop(&lists.at("/var/vmail/fred".into())).unwrap();
        assert_eq!(elsewhere, Path::new("/var/vmail/fred/.Lists.rust"));
    }

    #[test]
    fn names_stay_inside() {
        for (template, owner, problem) in [
            ("{data}/{domain}/{local}", "fred", NoPlace::NoDomain),
            ("{data}/{domain}/{local}", "fred@", NoPlace::Unusable),
            ("{data}/{domain}/{local}", "@example.org", NoPlace::Unusable),
            ("{data}/{domain}/{local}", "fred@..", NoPlace::Unusable),
            ("{data}/{domain}/{local}", "fred@.", NoPlace::Unusable),
            ("{data}/.{domain}/{local}", "fred@.", NoPlace::Unusable),
        ] {
            assert_eq!(place(template, owner), Err(problem), "{template} for {owner}");
        }
    }

    #[test]
    fn bad_templates_say_what_is_wrong() {
        for (template, problem) in [
            ("{data}/mail", LayoutError::NoOwner),
            ("", LayoutError::NoOwner),
            ("{data}/{domain}", LayoutError::NoOwner),
            ("{data}/{home}/{user}", LayoutError::Unknown("home".into())),
            ("{data}/{}/{user}", LayoutError::Unknown(String::new())),
            ("{data}/{user", LayoutError::Unbalanced),
            ("{data}/user}", LayoutError::Unbalanced),
            ("/x/{data}/{user}", LayoutError::DataNotFirst),
            ("{data}{user}", LayoutError::DataNotAlone),
        ] {
            assert_eq!(Layout::parse(template, Path::new("/d")), Err(problem), "{template}");
        }
    }
}
