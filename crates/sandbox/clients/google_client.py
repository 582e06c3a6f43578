"""Uses Google's own Python client against the sandbox as a program would, and checks what it gets.

usage: google_client.py <base url>, with the workspace's credentials as JSON in the environment
The last line on stdout is JSON: {"checks": n}.
"""
import json
import os
import sys

import google.auth.exceptions
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

BASE = sys.argv[1]
CREDENTIALS = json.loads(os.environ["SANDBOX_CREDENTIALS"])
SCOPES = ["https://www.googleapis.com/auth/calendar"]
checks = 0


def same(actual, expected):
    global checks
    assert actual == expected, f"{actual!r} is not {expected!r}"
    checks += 1


def fails(request, status, reason):
    global checks
    try:
        request.execute()
    except HttpError as error:
        assert error.status_code == status, error
        assert error.error_details[0]["reason"] == reason, error.error_details
        checks += 1
        return error
    raise AssertionError(f"expected {status} {reason}")


def service(refresh_token):
    credentials = Credentials(
        None,
        refresh_token=refresh_token,
        token_uri=CREDENTIALS["token_url"],
        client_id=CREDENTIALS["client_id"],
        client_secret=CREDENTIALS["client_secret"],
        scopes=SCOPES,
    )
    return build(
        "calendar",
        "v3",
        credentials=credentials,
        static_discovery=True,
        client_options={"api_endpoint": CREDENTIALS["api_url"]},
        cache_discovery=False,
    )


rosa, sam = (service(token) for token in CREDENTIALS["refresh_tokens"])
ROSA, SAM = (user["email"] for user in CREDENTIALS["users"][:2])
events = rosa.events()

# Calendars.
entries = rosa.calendarList().list().execute()
same([entry["id"] for entry in entries["items"]], [ROSA])
same(entries["items"][0]["primary"], True)
same(rosa.calendars().get(calendarId="primary").execute()["timeZone"], "Europe/Berlin")
team = rosa.calendars().insert(body={"summary": "Team", "timeZone": "UTC"}).execute()
changes = rosa.calendarList().list(syncToken=entries["nextSyncToken"]).execute()
same([entry["id"] for entry in changes["items"]], [team["id"]])

# One event: made, found again, changed under a condition.
zone = "Europe/Berlin"
body = {
    "id": "0123456789abcdef",
    "summary": "Demo",
    "start": {"dateTime": "2030-03-20T10:00:00", "timeZone": zone},
    "end": {"dateTime": "2030-03-20T11:00:00", "timeZone": zone},
    "attendees": [{"email": SAM}, {"email": "lea@lead.example"}],
    "extendedProperties": {"private": {"op": "1"}},
}
event = events.insert(calendarId="primary", body=body, sendUpdates="all").execute()
same((event["id"], event["start"]["dateTime"]), (body["id"], "2030-03-20T10:00:00+01:00"))
fails(events.insert(calendarId="primary", body=body), 409, "duplicate")
read = events.get(calendarId=ROSA, eventId=event["id"]).execute()
same(read, event)
patch = events.patch(calendarId="primary", eventId=event["id"], body={"location": "Room 1"})
patch.headers["If-Match"] = event["etag"]
changed = patch.execute()
same(changed["location"], "Room 1")
stale = events.patch(calendarId="primary", eventId=event["id"], body={"location": "Room 2"})
stale.headers["If-Match"] = event["etag"]
fails(stale, 412, "conditionNotMet")
updated = events.update(calendarId="primary", eventId=event["id"], body=changed).execute()
same(updated["etag"], changed["etag"])

# The guest's side.
copy = sam.events().get(calendarId="primary", eventId=event["id"]).execute()
same([row for row in copy["attendees"] if row.get("self")][0]["responseStatus"], "needsAction")
copy["attendees"][0]["responseStatus"] = "accepted"
sam.events().patch(calendarId="primary", eventId=event["id"], body={"attendees": copy["attendees"]}).execute()
read = events.get(calendarId="primary", eventId=event["id"]).execute()
same(read["attendees"][0]["responseStatus"], "accepted")
fails(
    sam.events().patch(calendarId="primary", eventId=event["id"], body={"summary": "Mine"}),
    403,
    "forbiddenForNonOrganizer",
)

# A series, its occurrences, and lists with tokens.
series = events.insert(
    calendarId="primary",
    body={
        "summary": "Weekly",
        "start": {"dateTime": "2030-03-25T10:00:00", "timeZone": zone},
        "end": {"dateTime": "2030-03-25T11:00:00", "timeZone": zone},
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=6"],
    },
).execute()
request, found = events.instances(calendarId="primary", eventId=series["id"], maxResults=4), []
while request is not None:
    page = request.execute()
    found += page["items"]
    request = events.instances_next(request, page)
same([row["start"]["dateTime"][11:] for row in found], ["10:00:00+01:00"] + ["10:00:00+02:00"] * 5)
events.delete(calendarId="primary", eventId=found[1]["id"]).execute()
fails(events.delete(calendarId="primary", eventId=found[1]["id"]), 410, "deleted")
request, rows = events.list(calendarId="primary", maxResults=2, singleEvents=False, showDeleted=True), []
while request is not None:
    page = request.execute()
    rows += page["items"]
    request = events.list_next(request, page)
same(sorted(row["status"] for row in rows), ["cancelled", "confirmed", "confirmed"])
token = page["nextSyncToken"]
events.delete(calendarId="primary", eventId=event["id"], sendUpdates="none").execute()
page = events.list(calendarId="primary", singleEvents=False, showDeleted=True, syncToken=token).execute()
same([(row["id"], row["status"]) for row in page["items"]], [(event["id"], "cancelled")])
fails(
    events.list(calendarId="primary", syncToken=token, timeMin="2030-01-01T00:00:00Z"),
    400,
    "syncTokenWithRequestRestrictions",
)
single = events.list(
    calendarId="primary", singleEvents=True, orderBy="startTime", timeMin="2030-03-01T00:00:00Z", eventTypes=["default"]
).execute()
same(len(single["items"]), 5)

# Copies from elsewhere, another calendar, and channels.
imported = events.import_(
    calendarId="primary",
    body={
        "iCalUID": "uid@elsewhere.example",
        "summary": "Theirs",
        "start": {"date": "2030-04-01"},
        "end": {"date": "2030-04-02"},
    },
).execute()
same(imported["id"][0], "_")
moved = events.move(calendarId="primary", eventId=series["id"], destination=team["id"]).execute()
same(moved["organizer"]["email"], team["id"])
channel = events.watch(
    calendarId="primary", body={"id": "c1", "type": "web_hook", "address": "https://hooks.example/g", "token": "t"}
).execute()
same((channel["kind"], channel["token"]), ("api#channel", "t"))
rosa.channels().stop(body={"id": "c1", "resourceId": channel["resourceId"]}).execute()
fails(rosa.channels().stop(body={"id": "c1", "resourceId": channel["resourceId"]}), 404, "notFound")
rosa.calendars().delete(calendarId=team["id"]).execute()
fails(events.list(calendarId=team["id"]), 404, "notFound")

# A person takes the grant back.
import urllib.request

ask = urllib.request.Request(
    f"{BASE}/_sandbox/revoke", data=json.dumps({"user": SAM}).encode(), method="POST"
)
urllib.request.urlopen(ask).close()
try:
    service(CREDENTIALS["refresh_tokens"][1]).calendarList().list().execute()
    raise AssertionError("expected a refused refresh")
except google.auth.exceptions.RefreshError as error:
    same(error.args[1]["error"], "invalid_grant")

print(json.dumps({"checks": checks}))
