//! Any bytes as a token.

use keybroker::{show_token, show_verdicts};
use token::verify::{Policy, appraise};
use token::{Envelope, PlatformClaims, RealmClaims, Token};

/// Takes any bytes as a token: decodes them, shows and judges what comes of it, and encodes it again.
pub fn any_token(bytes: &[u8]) {
    let Ok(token) = Token::decode(bytes) else {
        return;
    };
    let appraisal = appraise(&token, &Policy::STRICT);
    assert!(appraisal.refusal().is_some(), "nobody is endorsed");
    let shown = show_token(&token) + &show_verdicts(&appraisal);
    let printable = |text: char| text == '\n' || !text.is_control();
    assert!(
        shown.chars().all(printable),
        "a stranger writes to the terminal"
    );
    round_trip(bytes, &token);
}

/// What was understood survives being written and read once more.
fn round_trip(bytes: &[u8], token: &Token<'_>) {
    let envelope = Envelope::decode(bytes).expect("it was one a moment ago");
    assert_eq!(Envelope::decode(&envelope.encode()), Ok(envelope));
    let mut platform = token.platform_claims.clone();
    platform.unknown.clear();
    assert_eq!(PlatformClaims::decode(&platform.encode()), Ok(platform));
    let mut realm = token.realm_claims.clone();
    realm.unknown.clear();
    assert_eq!(RealmClaims::decode(&realm.encode()), Ok(realm));
}
