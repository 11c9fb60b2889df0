//! What is held back, what goes out at once, and within which bounds.

use serde_json::json;

use super::*;

fn user() -> UserId {
    UserId(uuid::Uuid::from_u128(1))
}

fn progress(subject: &str, event_type: &str, stage: &str) -> Told {
    let data = json!({ "stage": stage });
    Told::Progress(Progress {
        user_id: user(),
        subject: subject.into(),
        event_type: event_type.to_owned(),
        time: DateTime::default(),
        data,
    })
}

fn ended(subject: &str) -> Told {
    Told::Ended(vec![(user(), subject.to_owned())])
}

/// What goes out at a time: each message's resource with its event's type and stage, or that it has ended; and how many messages.
fn out(outbox: &mut Outbox, now: Instant) -> (Vec<String>, usize) {
    outbox.release(Some(now));
    let mut told = Vec::new();
    let mut count = 0;
    while let Some((channel, message)) = outbox.next() {
        count += 1;
        if channel == CANCEL_CHANNEL {
            told.push("cancel".to_owned());
            continue;
        }
        for one in serde_json::from_slice::<Vec<Message>>(&message).expect("an array of messages") {
            told.push(match one.progress {
                Some(event) => format!("{} {} {}", one.subject, event.event_type, event.data["stage"].as_str().unwrap_or_default()),
                None => format!("{} ended", one.subject),
            });
        }
    }
    (told, count)
}

#[test]
fn progress_is_held_back_and_a_later_one_takes_its_place() {
    let (mut outbox, begin) = (Outbox::default(), Instant::now());
    outbox.take(progress("a", "question.started", ""), begin);
    outbox.take(progress("a", "question.progress", "linking"), begin);
    outbox.take(progress("b", "question.progress", "linking"), begin);
    outbox.take(progress("a", "question.progress", "drafting"), begin + HOLD / 2);
    assert_eq!(out(&mut outbox, begin + HOLD / 2), (Vec::new(), 0), "nothing before its time");
    let (told, messages) = out(&mut outbox, begin + HOLD);
    assert_eq!(told, ["a question.started ", "a question.progress drafting", "b question.progress linking"]);
    assert_eq!(messages, 1, "in one message");
    assert_eq!(out(&mut outbox, begin + HOLD * 9), (Vec::new(), 0), "once");
    assert!(outbox.held.is_empty() && outbox.due.is_empty(), "nothing is left behind");
}

#[test]
fn what_is_soon_due_goes_out_with_what_is_due() {
    let (mut outbox, begin) = (Outbox::default(), Instant::now());
    outbox.take(progress("a", "question.progress", "linking"), begin);
    outbox.take(progress("b", "question.progress", "linking"), begin + HOLD / 3);
    outbox.take(progress("c", "question.progress", "linking"), begin + HOLD - Duration::from_millis(1));
    let (told, messages) = out(&mut outbox, begin + HOLD);
    assert_eq!((told, messages), (vec!["a question.progress linking".to_owned(), "b question.progress linking".to_owned()], 1));
    assert_eq!(out(&mut outbox, begin + HOLD * 2).0, ["c question.progress linking"]);
}

#[test]
fn an_end_goes_out_at_once_without_the_progress_before_it() {
    let (mut outbox, begin) = (Outbox::default(), Instant::now());
    outbox.take(progress("a", "question.started", ""), begin);
    outbox.take(progress("b", "question.progress", "linking"), begin);
    outbox.take(ended("a"), begin);
    outbox.take(ended("c"), begin);
    assert_eq!(out(&mut outbox, begin), (vec!["a ended".to_owned(), "c ended".to_owned()], 1));
    assert_eq!(out(&mut outbox, begin + HOLD), (vec!["b question.progress linking".to_owned()], 1));
}

#[test]
fn a_cancellation_goes_out_at_once_and_by_itself() {
    let (mut outbox, begin) = (Outbox::default(), Instant::now());
    outbox.take(progress("a", "question.started", ""), begin);
    outbox.take(Told::Cancel(JobId::new()), begin);
    assert_eq!(out(&mut outbox, begin), (vec!["cancel".to_owned()], 1));
}

#[test]
fn messages_are_of_a_bounded_length_and_nothing_is_lost_between_them() {
    let (mut outbox, begin) = (Outbox::default(), Instant::now());
    let long = "x".repeat(LONGEST / 3);
    for n in 0..10 {
        outbox.take(progress(&format!("subject-{n}"), "question.progress", &long), begin);
    }
    outbox.release(None);
    let mut count = 0;
    while let Some((_, message)) = outbox.next() {
        assert!(message.len() <= LONGEST + 1, "{}", message.len());
        count += serde_json::from_slice::<Vec<Message>>(&message).expect("an array of messages").len();
    }
    assert_eq!(count, 10);
}

#[test]
fn what_is_held_back_is_bounded() {
    let (mut outbox, begin) = (Outbox::default(), Instant::now());
    // What has ended is held no more, but still named before all others.
    for n in 0..10 {
        let subject = format!("over-{n}");
        outbox.take(progress(&subject, "question.progress", "linking"), begin);
        outbox.take(ended(&subject), begin);
    }
    assert_eq!(out(&mut outbox, begin).0.len(), 10, "the ends");
    for n in 0..SUBJECTS + 3 {
        outbox.take(progress(&n.to_string(), "question.progress", "linking"), begin);
        assert!(outbox.held.len() <= SUBJECTS);
    }
    assert_eq!(outbox.held.len(), SUBJECTS);
    let oldest: Vec<String> = (0..3).map(|n| format!("{n} question.progress linking")).collect();
    assert_eq!(out(&mut outbox, begin).0, oldest, "the oldest go out sooner");
}

async fn subjects(seen: &mut mpsc::UnboundedReceiver<Vec<u8>>) -> Vec<String> {
    let message = seen.recv().await.expect("something is published");
    let messages: Vec<Message> = serde_json::from_slice(&message).expect("an array of messages");
    messages.into_iter().map(|message| message.subject).collect()
}

#[tokio::test]
async fn what_has_gathered_is_published_together_and_what_is_held_in_its_time_and_at_the_end() {
    let (queue, waiting) = mpsc::channel(16);
    let (published, mut seen) = mpsc::unbounded_channel();
    for told in [ended("a"), progress("b", "question.progress", "linking"), ended("c")] {
        queue.try_send(told).expect("there is room");
    }
    let running = lifecycle::spawn("publish", async move {
        run(waiting, move |_, message| {
            let _ = published.send(message);
            future::ready(())
        })
        .await;
    });
    assert_eq!(subjects(&mut seen).await, ["a", "c"]);
    assert_eq!(subjects(&mut seen).await, ["b"], "in its time, though nothing else comes");
    queue.try_send(progress("d", "question.progress", "linking")).expect("there is room");
    drop(queue);
    assert_eq!(subjects(&mut seen).await, ["d"], "at the end, what is left");
    running.await.expect("it ends");
}
