//! The attributes of a function, those that `cfg_attr` gives it included.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// Whether `attributes` hold the one named `name`, under whatever condition.
pub(crate) fn have(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| is(&attribute.meta, name))
}

fn is(meta: &Meta, name: &str) -> bool {
    if meta.path().is_ident(name) {
        return true;
    }
    let Meta::List(list) = meta else { return false };
    // The condition comes first.
    list.path.is_ident("cfg_attr")
        && list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|given| given.iter().skip(1).any(|given| is(given, name)))
}
