//! Who calls in the tests of the contract: one of every role, keys without a scope, and what is no sign-in at all.

use std::collections::BTreeMap;

use datagenie_tests::{Client, TestApp};
use serde_json::json;
use uuid::Uuid;

/// Everybody.
pub struct Persons {
    /// A user who owns things.
    pub alice: Client,
    /// A user who owns nothing and may see nothing of others.
    pub bob: Client,
    /// A viewer.
    pub viewer: Client,
    /// The administrator.
    pub admin: Client,
    /// By scope: a key of the administrator that has every other scope.
    pub lacking: BTreeMap<&'static str, Client>,
    /// A key of the administrator, with every scope, that is limited to a connection which nothing else is about.
    pub limited: Client,
    /// Nobody: no token, ones that are none, ones that were forged, one that was revoked, one that is over, and those of one who is
    /// switched off.
    pub nobodies: Vec<(&'static str, Client)>,
}

/// Characters of a token's secret, with which it ends.
const SECRET: usize = 43;

const SCOPES: [&str; 4] = ["read", "ask", "manage", "admin"];

impl Persons {
    /// Makes them all. The other connection is there already.
    pub async fn make(app: &TestApp, other_connection: Uuid) -> Self {
        let (alice, bob, viewer) = (app.client("alice").await, app.client("bob").await, app.client("viewer-vera").await);
        let mut lacking = BTreeMap::new();
        for scope in SCOPES {
            let scopes: Vec<&str> = SCOPES.into_iter().filter(|held| *held != scope).collect();
            lacking.insert(scope, key(&app.admin, json!({ "name": scope, "scopes": scopes })).await.0);
        }
        let (limited, _) = key(&app.admin, json!({ "name": "limited", "scopes": SCOPES, "connections": [other_connection] })).await;
        let (revoked, id) = key(&app.admin, json!({ "name": "revoked", "scopes": SCOPES })).await;
        let _ = app.admin.delete(format!("/v1/api-keys/{id}"), None).await.expect(204);
        let (expired, id) = key(&app.admin, json!({ "name": "expired", "scopes": SCOPES, "expires_at": "2999-01-01T00:00:00Z" })).await;
        sqlx::query("UPDATE api_keys SET expires_at = dg_now() - interval '1 hour' WHERE id = $1")
            .bind(id)
            .execute(&app.pool)
            .await
            .expect("the key is over");
        let signed_out = app.client("bob").await;
        let _ = signed_out.post("/v1/auth/logout", None).await.expect(204);
        let dora = app.client("dora").await;
        let (of_dora, _) = key(&dora, json!({ "name": "of one who is switched off", "scopes": ["read", "ask", "manage"] })).await;
        let _ = app.admin.patch(format!("/v1/users/{}", dora.user_id), json!({ "is_active": false })).await.expect(200);
        let forged_key = format!("{}{}", &limited.token()[..limited.token().len() - SECRET], "A".repeat(SECRET));
        let alices = alice.token().len() - SECRET;
        let forged_session = format!("{}{}", &alice.token()[..alices], &bob.token()[alices..]);
        let nobody = app.anonymous();
        let cut = |client: &Client| client.token()[..client.token().len() - 2].to_owned();
        let nobodies = vec![
            ("without a token", nobody.clone()),
            ("with an empty token", nobody.with_token("")),
            ("with a made up key", nobody.with_token("dg_0123456789ab_nothing")),
            ("with a key whose secret is made up", nobody.with_token(forged_key)),
            ("with a session and the secret of another", nobody.with_token(forged_session)),
            ("switched off", dora),
            ("by a key of one who is switched off", of_dora),
            ("with a truncated key", nobody.with_token(cut(&limited))),
            ("with a truncated session", nobody.with_token(cut(&alice))),
            ("with a revoked key", revoked),
            ("with an expired key", expired),
            ("signed out", signed_out),
        ];
        Self { alice, bob, viewer, admin: app.admin.clone(), lacking, limited, nobodies }
    }
}

async fn key(owner: &Client, body: serde_json::Value) -> (Client, Uuid) {
    let made = owner.post("/v1/api-keys", body).await.expect(201);
    (owner.with_token(made.body["key"].as_str().expect("a new key is shown")), made.id())
}
