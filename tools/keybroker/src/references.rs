//! Reference values: the initial measurements that are known to be good.

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::encoding::from_base64;
use crate::json;

const FORM: &str = r#"the form is {"reference-values": ["BASE64 OF A RIM", …]}, as `airlock measure --reference-values FILE` writes it"#;

/// Reads reference values in the demonstration's form: `{"reference-values": [base64 of RIM, ...]}`.
///
/// # Errors
///
/// Says which entry is not a measurement.
pub fn read_reference_values(json: &str) -> Result<Vec<Vec<u8>>> {
    let file = json::read(json)?;
    let values = file.get("reference-values").and_then(Value::as_array);
    let values = values.context(FORM)?.iter().enumerate();
    let measure = |(at, value): (usize, &Value)| measurement(at + 1, value.as_str().context(FORM)?);
    values.map(measure).collect()
}

fn measurement(number: usize, text: &str) -> Result<Vec<u8>> {
    let value = from_base64(text)
        .map_err(|_| anyhow!("reference value {number} is not base64 with padding"))?;
    ensure!(
        matches!(value.len(), 32 | 48 | 64),
        "reference value {number} has {} bytes, not 32, 48 or 64",
        value.len()
    );
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demonstration_s_form_is_read() {
        let json = r#"{"reference-values": ["MRMUq3NiA1DPdYg0rlxl2ejC3H/r5ufZZUu+hk4wDUk="]}"#;
        let values = read_reference_values(json).unwrap();
        assert_eq!(values.len(), 1);
        assert_eq!(values[0][..3], [0x31, 0x13, 0x14]);
    }

    #[test]
    fn what_is_not_a_measurement_is_named() {
        for (json, why) in [
            (r#"{"reference-values": ["AAAA"]}"#, "value 1 has 3 bytes"),
            (r#"{"reference-values": ["_-_-"]}"#, "value 1 is not base64"),
            (r#"{"values": []}"#, "the form is {"),
            (r#"{"reference-values": [7]}"#, "the form is {"),
            ("[", "no JSON: it goes wrong at line 1, column 1"),
        ] {
            let error = read_reference_values(json).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
