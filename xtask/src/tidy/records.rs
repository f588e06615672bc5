//! What tests record: an observation that something made, from the device that it was made on.

use std::path::Path;

use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::{Expr, Lit, Token};

use super::Finding;

/// The functions and methods whose last arguments are what was expected and what was observed.
const OBSERVE: [&str; 4] = ["check", "check_on", "observe", "sees"];

/// The functions and methods whose first argument is the class of a device.
const NAME_A_DEVICE: [&str; 2] = ["check_on", "device"];

/// The crate whose own tests record what does not hold, to see that it is refused.
const OF_RECORDS: &str = "evidence";

/// The crate whose tests make bundles of runs that never were.
const OF_BUNDLES: &str = "proof-bundle";

/// Checks one file of the crate `package`.
pub(super) fn check(package: &str, path: &Path, text: &str, file: &syn::File, findings: &mut Vec<Finding>) {
    Calls { package, path, text, function: String::new(), findings }.visit_file(file);
}

struct Calls<'a> {
    package: &'a str,
    path: &'a Path,
    text: &'a str,
    /// The function that is being read.
    function: String,
    findings: &'a mut Vec<Finding>,
}

impl Calls<'_> {
    fn call(&mut self, name: &str, arguments: Vec<&Expr>) {
        if let [.., expected, observed] = arguments[..]
            && OBSERVE.contains(&name)
            && !self.makes_records_up(name)
            && (expected == observed || (is_literal(expected) && is_literal(observed)))
        {
            self.find(format!(
                "`{name}` compares what it was given with itself: let the code under test make what it observes"
            ));
        }
        if let [class, ..] = arguments[..]
            && NAME_A_DEVICE.contains(&name)
            && self.package != OF_BUNDLES
            && matches!(class, Expr::Lit(one) if matches!(&one.lit, Lit::Str(class) if class.value() == "gpu"))
        {
            self.find(format!("`{name}` is told that the device is a GPU: pass on the class that the device reports"));
        }
    }

    fn makes_records_up(&self, name: &str) -> bool {
        self.package == OF_RECORDS || (self.package == OF_BUNDLES && name == "observe")
    }

    fn find(&mut self, message: String) {
        let head = format!("fn {}", self.function);
        let line = self.text.lines().position(|line| line.contains(&head)).unwrap_or(0).saturating_add(1);
        self.findings.push(Finding::new(self.path, line, format!("in `{}`: {message}", self.function)));
    }

    /// Reads what `visit` reads as the body of `function`.
    fn within(&mut self, function: &syn::Ident, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.function, function.to_string());
        visit(self);
        self.function = outer;
    }
}

/// Whether nothing is computed to give the value.
fn is_literal(value: &Expr) -> bool {
    match value {
        Expr::Lit(_) => true,
        Expr::Array(array) => array.elems.iter().all(is_literal),
        Expr::Tuple(tuple) => tuple.elems.iter().all(is_literal),
        Expr::Paren(inner) => is_literal(&inner.expr),
        Expr::Reference(inner) => is_literal(&inner.expr),
        Expr::Unary(inner) => is_literal(&inner.expr),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Calls<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.within(&function.sig.ident, |calls| syn::visit::visit_item_fn(calls, function));
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.within(&function.sig.ident, |calls| syn::visit::visit_impl_item_fn(calls, function));
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Expr::Path(function) = &*call.func
            && let Some(segment) = function.path.segments.last()
        {
            self.call(&segment.ident.to_string(), call.args.iter().collect());
        }
        syn::visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        // `assert!` and the like are given expressions; what is not a list of them is none of this file's business.
        if let Ok(arguments) = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) {
            arguments.iter().for_each(|argument| Visit::visit_expr(self, argument));
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.call(&call.method.to_string(), call.args.iter().collect());
        syn::visit::visit_expr_method_call(self, call);
    }
}
