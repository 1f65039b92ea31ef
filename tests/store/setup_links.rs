//! Setup links.

use sendready::sending::tier::Tier;
use sendready::store::setup_link::SetupLinkRow;

use crate::store::world::{World, at, id, on_both};

on_both!(setup_links);

fn link(number: u128, domain: u128, expires: i64) -> SetupLinkRow {
    SetupLinkRow { id: id(number), domain_id: id(domain), created_at: at(0), expires_at: at(expires), revoked_at: None }
}

async fn setup_links(world: World) {
    let store = &world.store;
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    world.domain(11, client, "b.example", 0).await;
    for (number, domain, expires) in [(20, 10, 100), (21, 10, 200), (22, 11, 300)] {
        let hash = [u8::try_from(number).unwrap(); 32];
        store.setup_link_add(&link(number, domain, expires), &hash).await.unwrap();
    }
    assert!(store.setup_link_add(&link(23, 99, 100), &[23; 32]).await.is_err(), "there is no such domain");
    assert!(store.setup_link_add(&link(24, 10, 100), &[20; 32]).await.is_err(), "the token is another's");
    let owner = store.setup_link_by_hash(&[20; 32]).await.unwrap().unwrap();
    assert_eq!((owner.link, owner.client_id), (link(20, 10, 100), client), "what is given is what is kept");
    assert!(link(20, 10, 100).is_live(at(99)) && !link(20, 10, 100).is_live(at(100)), "its end is exact");
    assert_eq!(store.setup_link_by_hash(&[99; 32]).await.unwrap(), None);
    assert_eq!(store.setup_link_get(id(10), id(21)).await.unwrap(), Some(link(21, 10, 200)));
    assert_eq!(store.setup_link_get(id(11), id(21)).await.unwrap(), None, "another domain's");
    let listed = store.setup_link_list(id(10), None, 10).await.unwrap();
    assert_eq!(listed, [link(20, 10, 100), link(21, 10, 200)]);
    assert_eq!(store.setup_link_list(id(10), Some(id(20)), 10).await.unwrap(), [link(21, 10, 200)]);
    assert_eq!(store.setup_link_list(id(10), None, 1).await.unwrap(), [link(20, 10, 100)]);
    assert!(!store.setup_link_revoke(id(11), id(20), at(5)).await.unwrap(), "another domain's");
    assert!(store.setup_link_revoke(id(10), id(20), at(5)).await.unwrap());
    assert!(!store.setup_link_revoke(id(10), id(20), at(6)).await.unwrap(), "once");
    assert!(!store.setup_link_get(id(10), id(20)).await.unwrap().unwrap().is_live(at(5)));
    assert_eq!(store.setup_link_prune(at(200), 10).await.unwrap(), 1, "those that ended before");
    assert_eq!(store.setup_link_prune(at(301), 1).await.unwrap(), 1, "in small steps");
    assert_eq!(store.setup_link_prune(at(301), 10).await.unwrap(), 1);
    assert_eq!(store.setup_link_list(id(11), None, 10).await.unwrap(), []);
}
