//! The attribute that makes a function the payload of an image.

use proc_macro::{TokenStream, TokenTree};

/// Makes an `async fn` that takes an `airlock::Realm` the payload of this image.
///
/// It returns `Result<(), E>` where `E` can be displayed. At its end the runtime prints
/// `payload: ok` or `payload: failed: ` and the error, and turns the machine off.
///
/// ```ignore
/// #![no_std]
/// #![no_main]
///
/// #[airlock::main]
/// async fn main(realm: airlock::Realm) -> Result<(), airlock::Error> {
///     airlock::println!("{}", realm.facts());
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(_: TokenStream, function: TokenStream) -> TokenStream {
    let Some(name) = name(function.clone()) else {
        return error("#[airlock::main] belongs on an `async fn`");
    };
    let mut tokens = function;
    let entry: Result<TokenStream, _> = format!("::airlock::__payload!({name});").parse();
    match entry {
        Ok(entry) => tokens.extend(entry),
        Err(_) => return error("#[airlock::main] cannot use this name"),
    }
    tokens
}

/// The word behind `fn`, outside of any brackets.
fn name(function: TokenStream) -> Option<String> {
    let mut tokens = function.into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn"))?;
    match tokens.next() {
        Some(TokenTree::Ident(name)) => Some(name.to_string()),
        _ => None,
    }
}

fn error(text: &str) -> TokenStream {
    format!("::core::compile_error!({text:?});")
        .parse()
        .unwrap_or_default()
}
