//! Sealing: what opens, what does not, and what errors say.

use super::*;

/// 32 bytes of 1, 2 and 3 in base64.
const ONE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const TWO: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const THREE: &str = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";

fn ring(text: &str) -> Keyring {
    Keyring::from_setting(text).expect("a valid ring")
}

fn row() -> Uuid {
    Uuid::from_u128(7)
}

#[test]
fn what_is_sealed_opens_in_its_place_only() {
    let ring = ring(ONE);
    let sealed = ring.seal("database_connections", "connection_config", row(), b"secret").expect("seals");
    assert_eq!(sealed["v"], 1);
    assert!(!sealed.to_string().contains("secret"));
    let clear = ring.open("database_connections", "connection_config", row(), &sealed).expect("opens");
    assert_eq!(clear.expose_secret(), b"secret");
    for (table, column, id) in [
        ("webhooks", "connection_config", row()),
        ("database_connections", "secret", row()),
        ("database_connections", "connection_config", Uuid::from_u128(8)),
    ] {
        assert_eq!(ring.open(table, column, id, &sealed).expect_err("does not open"), SealingError::Tampered);
    }
}

#[test]
fn equal_texts_are_sealed_differently() {
    let ring = ring(ONE);
    let first = ring.seal("t", "c", row(), b"same").expect("seals");
    let second = ring.seal("t", "c", row(), b"same").expect("seals");
    assert_ne!(first["nonce"], second["nonce"]);
    assert_ne!(first["ciphertext"], second["ciphertext"]);
}

#[test]
fn a_changed_byte_is_found() {
    let ring = ring(ONE);
    let mut sealed = ring.seal("t", "c", row(), b"secret").expect("seals");
    let mut bytes = bytes_of(&sealed, "ciphertext").expect("base64");
    bytes[0] ^= 1;
    sealed["ciphertext"] = Value::from(STANDARD.encode(bytes));
    assert_eq!(ring.open("t", "c", row(), &sealed).expect_err("does not open"), SealingError::Tampered);
}

#[test]
fn malformed_values_are_told_apart() {
    let ring = ring(ONE);
    let sealed = ring.seal("t", "c", row(), b"secret").expect("seals");
    assert!(matches!(ring.open("t", "c", row(), &Value::from("plain")), Err(SealingError::Malformed)));
    for (field, value) in [
        ("v", json!(2)),
        ("key_id", json!(1)),
        ("nonce", json!("AAAA")),
        ("nonce", json!("?")),
        ("ciphertext", json!("?")),
        ("ciphertext", Value::Null),
    ] {
        let mut broken = sealed.clone();
        broken[field] = value;
        assert!(matches!(ring.open("t", "c", row(), &broken), Err(SealingError::Malformed)), "{field}");
    }
    let mut short = sealed;
    short["ciphertext"] = json!("AAAA");
    assert_eq!(ring.open("t", "c", row(), &short).expect_err("does not open"), SealingError::Tampered);
}

#[test]
fn keys_rotate() {
    let old = ring(&format!("old:{ONE}"));
    let sealed = old.seal("t", "c", row(), b"secret").expect("seals");
    let both = ring(&format!("new:{TWO}, old:{ONE}"));
    assert_eq!(both.key_ids(), ["new", "old"]);
    assert_eq!(both.open("t", "c", row(), &sealed).expect("opens").expose_secret(), b"secret");
    assert!(both.needs_reseal(&sealed));
    let again = both.seal("t", "c", row(), b"secret").expect("seals");
    assert_eq!(again["key_id"], "new");
    assert!(!both.needs_reseal(&again));
    let new = ring(&format!("new:{TWO}"));
    assert_eq!(new.open("t", "c", row(), &sealed).expect_err("does not open"), SealingError::UnknownKey("old".to_owned()));
}

#[test]
fn naming_a_key_later_keeps_old_values_readable() {
    let sealed = ring(ONE).seal("t", "c", row(), b"secret").expect("seals");
    let named = ring(&format!("main:{ONE}"));
    assert!(named.open("t", "c", row(), &sealed).is_ok());
    assert!(!named.needs_reseal(&sealed));
}

#[test]
fn a_fernet_key_and_unpadded_keys_are_taken() {
    let bytes = [0xfb_u8; KEY_BYTES];
    let standard = STANDARD.encode(bytes);
    assert!(standard.contains('+'));
    let url_safe = standard.replace('+', "-").replace('/', "_");
    let ids = |text: &str| ring(text).key_ids().join(",");
    assert_eq!(ids(&standard), ids(&url_safe));
    assert_eq!(ids(&standard), ids(url_safe.trim_end_matches('=')));
    assert_eq!(ids(&standard).len(), 8);
}

#[test]
fn errors_name_the_entry_and_never_the_key() {
    let short = "c2hvcnQtc2VjcmV0";
    for (text, entry, part) in [
        (format!("{ONE},{short}"), 2, "12 bytes"),
        (format!("{ONE},,{TWO}"), 2, "empty"),
        (format!("{ONE},{TWO},"), 3, "empty"),
        (format!("b d:{short}"), 1, "id"),
        (format!("a:{ONE},a:{TWO}"), 2, "twice"),
        (format!("a:{ONE},b:{ONE}"), 2, "twice"),
        ("päss!wörd".to_owned(), 1, "not base64"),
    ] {
        let error = Keyring::from_setting(&text).expect_err("a bad ring");
        let shown = error.to_string();
        assert!(matches!(error, SealingError::BadEntry { entry: found, .. } if found == entry), "{shown}");
        assert!(shown.contains(part) && shown.contains("32 bytes"), "{shown}");
        assert!(!shown.contains(short) && !shown.contains("AQEB") && !shown.contains("wörd"), "{shown}");
    }
    assert_eq!(Keyring::from_setting("  ").expect_err("empty"), SealingError::NoKey);
}

#[test]
fn no_key_goes_by_the_name_that_another_one_has_without_a_name() {
    let hashed = ring(ONE).key_ids()[0].to_owned();
    for text in [format!("a:{ONE},{hashed}:{TWO}"), format!("{hashed}:{TWO},a:{ONE}"), format!("{hashed}:{TWO},{ONE}")] {
        let error = Keyring::from_setting(&text).expect_err("it would not be known whose a value is");
        assert!(matches!(error, SealingError::BadEntry { entry: 2, .. }), "{error}");
    }
    assert_eq!(ring(&format!("{hashed}:{ONE},{TWO}")).key_ids()[0], hashed, "its own digest is its name anyway");
}

#[test]
fn the_check_value_tells_a_wrong_key() {
    let right = ring(&format!("main:{ONE}"));
    let stored = right.verifier().expect("seals");
    assert_eq!(right.verify(&stored), Ok(()));
    assert_eq!(ring(&format!("new:{THREE},main:{ONE}")).verify(&stored), Ok(()));
    assert_eq!(ring(&format!("main:{TWO}")).verify(&stored), Err(SealingError::WrongKey("main".to_owned())));
    assert_eq!(ring(&format!("other:{TWO}")).verify(&stored), Err(SealingError::UnknownKey("main".to_owned())));
    assert!(matches!(right.verify(&json!({})), Err(SealingError::Malformed)));
}

#[test]
fn generated_keys_are_taken_and_differ() {
    let (first, second) = (generate_key(), generate_key());
    assert_ne!(first, second);
    assert_eq!(ring(&format!("{first},{second}")).key_ids().len(), 2);
}

#[test]
fn debug_shows_ids_only() {
    let shown = format!("{:?}", ring(&format!("main:{ONE}")));
    assert!(shown.contains("main"));
    assert!(!shown.contains("AQEB"));
}

#[test]
fn a_mac_is_of_its_text_and_its_key() {
    let (ring, other) = (Keyring::from_setting(&generate_key()).expect("a key"), Keyring::from_setting(&generate_key()).expect("a key"));
    assert_eq!(ring.macs(b"text"), ring.macs(b"text"));
    assert_eq!((ring.macs(b"text").len(), ring.macs(b"text")[0].len()), (1, 32));
    assert_ne!(ring.macs(b"text"), ring.macs(b"another"));
    assert_ne!(ring.macs(b"text"), other.macs(b"text"));
}

#[test]
fn a_mac_of_before_a_rotation_is_among_those_of_after_it() {
    let (before, after) = (ring(ONE), ring(&format!("{TWO},{ONE}")));
    assert!(after.macs(b"text").contains(&before.macs(b"text")[0]));
    assert_ne!(after.macs(b"text")[0], before.macs(b"text")[0]);
}

#[test]
fn a_value_is_sealed_again_by_the_first_key_for_its_place_only() {
    let (before, after) = (ring(&format!("old:{ONE}")), ring(&format!("new:{TWO},old:{ONE}")));
    let old = before.seal("t", "c", row(), b"secret").expect("seals");
    assert!(after.needs_reseal(&old));
    let new = after.reseal("t", "c", row(), &old).expect("seals again");
    assert!(!after.needs_reseal(&new) && new["key_id"] == "new");
    assert_eq!(ring(&format!("new:{TWO}")).open("t", "c", row(), &new).expect("opens").expose_secret(), b"secret");
    assert_eq!(after.reseal("t", "c", Uuid::from_u128(8), &old).expect_err("another place"), SealingError::Tampered);
}
