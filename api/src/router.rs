//! Every route and who may call it, in one table: the router, the OpenAPI document and the tests of permissions are made from it.

use axum::{Router, extract::DefaultBodyLimit, middleware};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_swagger_ui::SwaggerUi;

use crate::{
    access::{
        self,
        Access::{self, Admin, Public, SignedIn, User},
        Scope::{self, Ask, Manage, Read},
    },
    api_keys,
    app::App,
    audit_logs, auth, batches, browsers, connections, dead_jobs,
    error::{ApiError, Code},
    files, frame, jobs, live, openapi, operation, questions, queues, schedules, settings, shares, stats, upkeep, users, webhooks, workers,
};

/// An operation's rule and route.
type Entry = (Access, UtoipaMethodRouter<App>);

/// The permission table.
fn table() -> Vec<Entry> {
    let mut table = vec![
        (Public, auth::login::route()),
        (SignedIn(Read), auth::logout::route()),
        (SignedIn(Read), auth::me::route()),
        (SignedIn(Manage), auth::password::route()),
        (SignedIn(Read), auth::sessions::list_route()),
        (SignedIn(Manage), auth::sessions::revoke_route()),
        (SignedIn(Manage), auth::sessions::revoke_others_route()),
        (SignedIn(Read), auth::limits::route()),
        (SignedIn(Manage), api_keys::create::route()),
        (SignedIn(Read), api_keys::list::route()),
        (SignedIn(Read), api_keys::get::route()),
        (SignedIn(Manage), api_keys::update::route()),
        (SignedIn(Manage), api_keys::revoke::route()),
        (Admin(Scope::Admin), users::create::route()),
        (Admin(Scope::Admin), users::list::route()),
        (Admin(Scope::Admin), users::get::route()),
        (Admin(Scope::Admin), users::update::route()),
        (Admin(Scope::Admin), users::sessions::list_route()),
        (Admin(Scope::Admin), users::sessions::revoke_route()),
        (Admin(Scope::Admin), users::sessions::revoke_all_route()),
        (Admin(Scope::Admin), audit_logs::route()),
        (Admin(Scope::Admin), users::limits::get_route()),
        (Admin(Scope::Admin), users::limits::put_route()),
        (Admin(Manage), connections::create::route()),
        (SignedIn(Read), connections::list::route()),
        (SignedIn(Read), connections::get::route()),
        (Admin(Manage), connections::update::route()),
        (Admin(Manage), connections::delete::route()),
        (Admin(Manage), connections::look::test_route()),
        (Admin(Manage), connections::look::sync_route()),
        (SignedIn(Read), connections::schema::route()),
        (Admin(Scope::Admin), connections::permissions::put_route()),
        (Admin(Scope::Admin), connections::permissions::get_route()),
        (Admin(Scope::Admin), connections::permissions::delete_route()),
        (Admin(Scope::Admin), connections::masks::put_route()),
        (Admin(Scope::Admin), connections::masks::get_route()),
        (User(Ask), questions::ask::route()),
        (SignedIn(Read), questions::list::route()),
        (SignedIn(Read), questions::get::route()),
        (User(Ask), questions::cancel::route()),
        (User(Ask), questions::rerun::route()),
        (SignedIn(Read), questions::result::route()),
        (SignedIn(Read), questions::chart::svg_route()),
        (SignedIn(Read), questions::chart::png_route()),
        (User(Manage), shares::put::question_route()),
        (SignedIn(Manage), shares::delete::question_route()),
        (SignedIn(Read), shares::list::question_route()),
        (User(Ask), batches::create::route()),
        (SignedIn(Read), batches::list::route()),
        (SignedIn(Read), batches::get::route()),
        (SignedIn(Read), batches::results::route()),
        (User(Ask), batches::cancel::route()),
        (User(Ask), files::upload::route()),
        (SignedIn(Read), files::list::route()),
        (SignedIn(Read), files::get::route()),
        (User(Ask), files::delete::route()),
        (User(Ask), files::analyse::route()),
        (SignedIn(Read), files::analysis::route()),
        (SignedIn(Read), files::chart::route()),
        (User(Manage), shares::put::analysis_route()),
        (SignedIn(Manage), shares::delete::analysis_route()),
        (SignedIn(Read), shares::list::analysis_route()),
        (SignedIn(Read), live::stream::route()),
        (SignedIn(Read), live::socket::route()),
        (SignedIn(Read), jobs::list::route()),
        (SignedIn(Read), jobs::get::route()),
        (User(Ask), jobs::cancel::route()),
        (User(Ask), jobs::cancel_many::route()),
        (User(Ask), jobs::retry::route()),
        (Admin(Scope::Admin), queues::list::route()),
        (Admin(Scope::Admin), queues::get::route()),
        (Admin(Scope::Admin), queues::pause::route()),
        (Admin(Scope::Admin), queues::resume::route()),
        (Admin(Scope::Admin), workers::list::route()),
        (Admin(Scope::Admin), dead_jobs::list::route()),
        (Admin(Scope::Admin), dead_jobs::replay::route()),
        (Admin(Scope::Admin), dead_jobs::replay_many::route()),
        (Admin(Scope::Admin), dead_jobs::discard::route()),
        (Admin(Scope::Admin), dead_jobs::discard_many::route()),
        (User(Ask), schedules::create::route()),
        (SignedIn(Read), schedules::list::route()),
        (SignedIn(Read), schedules::get::route()),
        (User(Ask), schedules::update::route()),
        (User(Ask), schedules::delete::route()),
        (User(Ask), schedules::pause::pause_route()),
        (User(Ask), schedules::pause::resume_route()),
        (User(Ask), schedules::run::route()),
        (SignedIn(Read), schedules::runs::route()),
        (Admin(Scope::Admin), upkeep::list::route()),
        (Admin(Scope::Admin), settings::list::route()),
        (Admin(Scope::Admin), settings::get::route()),
        (Admin(Scope::Admin), settings::put::route()),
        (Admin(Scope::Admin), settings::reset::route()),
        (Admin(Scope::Admin), stats::queries::route()),
        (Admin(Scope::Admin), stats::users::route()),
        (User(Manage), webhooks::callback_secret::get_route()),
        (User(Manage), webhooks::callback_secret::rotate_route()),
        (User(Manage), webhooks::create::route()),
        (User(Manage), webhooks::list::route()),
        (User(Manage), webhooks::get::route()),
        (User(Manage), webhooks::update::route()),
        (User(Manage), webhooks::delete::route()),
        (User(Manage), webhooks::rotate::route()),
        (User(Manage), webhooks::test::route()),
        (User(Manage), webhooks::deliveries::endpoint_route()),
        (User(Manage), webhooks::deliveries::callbacks_route()),
        (User(Manage), webhooks::replay::endpoint_route()),
        (User(Manage), webhooks::replay::callback_route()),
        (User(Manage), webhooks::replay::since_route()),
    ];
    table.extend(operation::routes().into_iter().map(|route| (Public, route)));
    table
}

/// The whole api, and the document that describes it.
pub fn build(app: &App) -> Router {
    let (router, document) = routes(Some(app));
    let api = &app.settings.api;
    let router = router
        .merge(browsers::documentation(SwaggerUi::new("/docs").external_url_unchecked("/openapi.json", openapi::finish(&document)).into()))
        .fallback(|| async { ApiError::new(Code::NotFound, "there is no such path; /openapi.json lists all") })
        .method_not_allowed_fallback(|| async {
            ApiError::new(Code::MethodNotAllowed, "this path does not know this method; /openapi.json lists all")
        })
        .layer(DefaultBodyLimit::max(api.max_body_bytes()));
    let framed = browsers::open_to_pages(router, api)
        // A route's layer, so that the route's template is known to it; the fallbacks are framed too.
        .layer(middleware::from_fn_with_state(app.clone(), frame::frame));
    browsers::headed(framed, api).with_state(app.clone())
}

/// The OpenAPI document, without a running api.
#[must_use]
pub fn document() -> serde_json::Value {
    openapi::finish(&routes(None).1)
}

fn routes(app: Option<&App>) -> (Router<App>, OpenApi) {
    let mut router = OpenApiRouter::with_openapi(openapi::head());
    for (rule, (schemas, mut paths, methods)) in table() {
        openapi::complete(&mut paths, rule);
        let route = match app {
            Some(app) => (schemas, paths, methods.layer(middleware::from_fn_with_state((app.clone(), rule), access::check))),
            None => (schemas, paths, methods),
        };
        router = router.routes(route);
    }
    router.split_for_parts()
}
