//! The functions of the image that copy memory, on the CPU that they are for.

use airlock::println;
use copies::check::{self, Compiler};

/// Checks sums and copies, each at all alignments and short lengths.
pub fn check() -> Result<(), &'static str> {
    tell("sums", check::check_sums(&Compiler))?;
    tell("copies", check::check(&Compiler))
}

fn tell(what: &str, result: Result<usize, check::Failure>) -> Result<(), &'static str> {
    match result {
        Ok(cases) => println!("{what}: {cases} cases right"),
        Err(failure) => {
            println!("{what}: {failure}");
            return Err("memory is not copied as it should be");
        }
    }
    Ok(())
}
