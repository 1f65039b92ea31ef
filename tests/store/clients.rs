//! Clients, tiers and what is used.

use sendready::sending::tier::{Resource, Tier};
use sendready::store::{Client, ClientChange, ClientChanged, Excess, Usage};

use crate::store::world::{World, at, id, on_both};

on_both!(add_get_list, change, usage, a_downgrade_below_use);

async fn add_get_list(world: World) {
    let store = &world.store;
    world.client(2, Tier::Velocity).await;
    world.client(1, Tier::Ignition).await;
    let expected = Client {
        id: id(2),
        name: Some("client 2".to_owned()),
        tier: Some(Tier::Velocity),
        created_at: Some(at(0)),
        dedicated_ips: Vec::new(),
    };
    assert_eq!(store.client_get(id(2)).await.unwrap(), Some(expected));
    assert_eq!(store.client_get(id(9)).await.unwrap(), None);
    let ids = |clients: Vec<Client>| clients.iter().map(|client| client.id.as_u128()).collect::<Vec<_>>();
    assert_eq!(ids(store.client_list(None, 10).await.unwrap()), [1, 2]);
    assert_eq!(ids(store.client_list(None, 1).await.unwrap()), [1]);
    assert_eq!(ids(store.client_list(Some(id(1)), 10).await.unwrap()), [2]);
    assert!(store.client_add(id(1), "again", Tier::Velocity, at(1)).await.is_err(), "the id is taken");
}

async fn change(world: World) {
    world.client(1, Tier::Ignition).await;
    let change = ClientChange { name: Some("other".to_owned()), tier: Some(Tier::Dominance) };
    let changed = world.store.client_change(id(1), &change, at(5)).await.unwrap();
    let ClientChanged::Changed(client) = changed else { panic!("{changed:?}") };
    assert_eq!((client.name.as_deref(), client.tier), (Some("other"), Some(Tier::Dominance)));
    assert_eq!(world.store.client_get(id(1)).await.unwrap(), Some(client));
    let nobody = world.store.client_change(id(9), &change, at(5)).await.unwrap();
    assert_eq!(nobody, ClientChanged::NoSuchClient);
}

async fn usage(world: World) {
    let client = world.client(1, Tier::Dominance).await;
    assert_eq!(world.store.client_usage(id(9)).await.unwrap(), None);
    let one = world.domain(10, client, "one.example", 1).await;
    let two = world.domain(11, client, "two.example", 1).await;
    for (number, domain) in [(1, one.id), (2, one.id), (3, two.id)] {
        world.run(&mailbox(&world, number, domain.as_u128(), 1)).await;
    }
    world.run("UPDATE email_mailboxes SET deleted_at = created_at WHERE email_address = 'box1@example.com'").await;
    let expected = Usage { tier: Some(Tier::Dominance), domains_used: 2, mailboxes_used: 2, dedicated_ips_used: 0 };
    assert_eq!(world.store.client_usage(client).await.unwrap(), Some(expected));
    assert!(world.store.domain_delete(two.id, at(2)).await.unwrap());
    let expected = Usage { domains_used: 1, mailboxes_used: 1, ..expected };
    assert_eq!(world.store.client_usage(client).await.unwrap(), Some(expected), "a deleted domain and its mailboxes");
}

/// The statement that adds a mailbox.
pub fn mailbox(world: &World, number: u128, domain: u128, client: u128) -> String {
    let literal = |number: u128| match &world.place {
        crate::store::world::Place::Postgres(_) => format!("'{}'", id(number)),
        crate::store::world::Place::Sqlite(_) => format!("X'{}'", id(number).simple()),
    };
    format!(
        "INSERT INTO email_mailboxes (id, domain_id, client_id, email_address) VALUES ({}, {}, {}, 'box{number}@example.com')",
        literal(number),
        literal(domain),
        literal(client)
    )
}

async fn a_downgrade_below_use(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    for number in 0..3 {
        world.domain(10 + number, client, &format!("d{number}.example"), 1).await;
    }
    let change = ClientChange { name: Some("other".to_owned()), tier: Some(Tier::Ignition) };
    let refused = world.store.client_change(client, &change, at(2)).await.unwrap();
    assert_eq!(
        refused,
        ClientChanged::AllocationExceeded(vec![Excess { resource: Resource::Domains, used: 3, limit: 2 }])
    );
    let kept = world.store.client_get(client).await.unwrap().unwrap();
    assert_eq!((kept.name.as_deref(), kept.tier), (Some("client 1"), Some(Tier::Velocity)), "all or nothing");
}
