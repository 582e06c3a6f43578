"""Uses Microsoft's own Graph client for Python against the sandbox as a program would, and checks what it gets.

usage: msgraph_client.py <base url>, with the tenant's credentials as JSON in the environment
The last line on stdout is JSON: {"checks": n}.
"""
import asyncio
import datetime
import json
import os
import sys
import urllib.parse
import urllib.request

import httpx
from kiota_abstractions.api_error import APIError
from kiota_abstractions.authentication import AccessTokenProvider, AllowedHostsValidator, BaseBearerTokenAuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph import GraphServiceClient
from msgraph.generated.models.attendee import Attendee
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.date_time_time_zone import DateTimeTimeZone
from msgraph.generated.models.day_of_week import DayOfWeek
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.event import Event
from msgraph.generated.models.event_type import EventType
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.patterned_recurrence import PatternedRecurrence
from msgraph.generated.models.recurrence_pattern import RecurrencePattern
from msgraph.generated.models.recurrence_pattern_type import RecurrencePatternType
from msgraph.generated.models.recurrence_range import RecurrenceRange
from msgraph.generated.models.recurrence_range_type import RecurrenceRangeType
from msgraph.generated.models.response_type import ResponseType
from msgraph.generated.models.sensitivity import Sensitivity
from msgraph.generated.models.single_value_legacy_extended_property import SingleValueLegacyExtendedProperty
from msgraph.generated.models.subscription import Subscription
from msgraph.generated.users.item.calendar_view.delta.delta_request_builder import DeltaRequestBuilder
from msgraph.generated.users.item.events.item.accept.accept_post_request_body import AcceptPostRequestBody
from msgraph.generated.users.item.events.events_request_builder import EventsRequestBuilder
from msgraph.generated.users.item.events.item.cancel.cancel_post_request_body import CancelPostRequestBody
from msgraph.generated.users.item.events.item.decline.decline_post_request_body import DeclinePostRequestBody
from msgraph.generated.users.item.events.item.instances.instances_request_builder import InstancesRequestBuilder
from msgraph.graph_request_adapter import GraphRequestAdapter, options
from msgraph_core import GraphClientFactory

BASE = sys.argv[1]
CREDENTIALS = json.loads(os.environ["SANDBOX_CREDENTIALS"])
checks = 0


def same(actual, expected):
    global checks
    assert actual == expected, f"{actual!r} is not {expected!r}"
    checks += 1


async def fails(call, status, code):
    global checks
    try:
        await call
    except APIError as error:
        assert error.response_status_code == status, error
        assert error.error.code == code, error
        checks += 1
        return
    raise AssertionError(f"expected {status} {code}")


class Tokens(AccessTokenProvider):
    """Gets access tokens with a refresh token that rotates."""

    def __init__(self, refresh):
        self.refresh = refresh
        self.access = None

    async def get_authorization_token(self, uri, additional_authentication_context={}):
        if self.access is None:
            form = {
                "client_id": CREDENTIALS["client_id"],
                "client_secret": CREDENTIALS["client_secret"],
                "grant_type": "refresh_token",
                "refresh_token": self.refresh,
                "scope": "Calendars.ReadWrite User.Read offline_access",
            }
            data = urllib.parse.urlencode(form).encode()
            with urllib.request.urlopen(CREDENTIALS["token_url"], data=data) as answer:
                told = json.load(answer)
            assert told["refresh_token"] != self.refresh
            self.refresh, self.access = told["refresh_token"], told["access_token"]
        return self.access

    def get_allowed_hosts_validator(self):
        return AllowedHostsValidator([])


def service(refresh):
    http = httpx.AsyncClient(base_url=CREDENTIALS["api_url"])
    http = GraphClientFactory.create_with_default_middleware(client=http, options=options)
    adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(Tokens(refresh)), http)
    adapter.base_url = CREDENTIALS["api_url"]
    return GraphServiceClient(request_adapter=adapter)


def at(text):
    return DateTimeTimeZone(date_time=text, time_zone="W. Europe Standard Time")


def asking(builder=None, parameters=None, **headers):
    configuration = RequestConfiguration(query_parameters=parameters)
    configuration.headers.add("Prefer", 'IdType="ImmutableId"')
    for name, value in headers.items():
        configuration.headers.add(name.replace("_", "-"), value)
    return configuration


async def main():
    mia, noah = (service(token) for token in CREDENTIALS["refresh_tokens"])
    MIA, NOAH = (user["email"] for user in CREDENTIALS["users"][:2])

    # Who, and which calendars.
    same((await mia.me.get()).mail, MIA)
    calendars = (await mia.me.calendars.get()).value
    same([calendar.is_default_calendar for calendar in calendars], [True])

    # One event, made once.
    event = Event(
        subject="Demo",
        body=ItemBody(content_type=BodyType.Text, content="Bring a pen"),
        start=at("2030-03-20T10:00:00"),
        end=at("2030-03-20T11:00:00"),
        sensitivity=Sensitivity.Private,
        attendees=[Attendee(email_address=EmailAddress(address=NOAH, name="Noah North"))],
        transaction_id="op-1",
    )
    made = await mia.me.events.post(event, asking())
    again = await mia.me.events.post(event, asking())
    same(again.id, made.id)
    same((made.start.date_time, made.start.time_zone), ("2030-03-20T09:00:00.0000000", "UTC"))
    same((made.body.content_type, made.body_preview), (BodyType.Html, "Bring a pen"))
    same((made.type, made.sensitivity), (EventType.SingleInstance, Sensitivity.Private))
    one = mia.me.events.by_event_id(made.id)
    etag = made.additional_data["@odata.etag"]
    changed = await one.patch(Event(subject="Demo, renamed"), asking(If_Match=etag))
    same(changed.subject, "Demo, renamed")
    await fails(one.patch(Event(subject="Stale"), asking(If_Match=etag)), 412, "ErrorIrresolvableConflict")
    await fails(mia.me.events.by_event_id("nonsense").get(), 400, "ErrorInvalidIdMalformed")

    # The guest's side.
    copies = (await noah.me.events.get(asking())).value
    same([(copy.subject, copy.is_organizer) for copy in copies], [("Demo, renamed", False)])
    await noah.me.events.by_event_id(copies[0].id).accept.post(AcceptPostRequestBody(send_response=True), asking())
    seen = await one.get(asking())
    same(seen.attendees[0].status.response, ResponseType.Accepted)

    # A series, its occurrences, and rounds of a delta.
    series = await mia.me.events.post(
        Event(
            subject="Weekly",
            start=at("2030-03-25T10:00:00"),
            end=at("2030-03-25T11:00:00"),
            recurrence=PatternedRecurrence(
                pattern=RecurrencePattern(type=RecurrencePatternType.Weekly, interval=1, days_of_week=[DayOfWeek.Monday]),
                range=RecurrenceRange(
                    type=RecurrenceRangeType.Numbered,
                    start_date=datetime.date(2030, 3, 25),
                    number_of_occurrences=4,
                ),
            ),
        ),
        asking(),
    )
    same(series.type, EventType.SeriesMaster)
    window = {"start_date_time": "2030-03-01T00:00:00Z", "end_date_time": "2030-06-01T00:00:00Z"}
    parameters = InstancesRequestBuilder.InstancesRequestBuilderGetQueryParameters(**window)
    parts = (await mia.me.events.by_event_id(series.id).instances.get(asking(parameters=parameters))).value
    same([part.start.date_time[11:16] for part in parts], ["09:00", "08:00", "08:00", "08:00"])
    same(len({part.i_cal_u_id for part in parts}), 4)
    parameters = DeltaRequestBuilder.DeltaRequestBuilderGetQueryParameters(**window)
    page = await mia.me.calendar_view.delta.get(asking(parameters=parameters, PREFER="odata.maxpagesize=1"))
    rows = list(page.value)
    while page.odata_next_link:
        page = await mia.me.calendar_view.delta.with_url(page.odata_next_link).get(asking())
        rows += page.value
    kinds = [row.type for row in rows]
    same(kinds, [EventType.SingleInstance, EventType.SeriesMaster] + [EventType.Occurrence] * 4)
    same(rows[2].series_master_id, series.id)
    await mia.me.events.by_event_id(parts[1].id).delete(asking())
    await one.cancel.post(CancelPostRequestBody(comment="Sorry"), asking())
    page = await mia.me.calendar_view.delta.with_url(page.odata_delta_link).get(asking())
    gone = [row.id for row in page.value if "@removed" in row.additional_data]
    same((gone, len(page.value)), ([made.id], 5))
    copies = (await noah.me.events.get(asking())).value
    same([(copy.subject, copy.is_cancelled) for copy in copies], [("Canceled: Demo, renamed", True)])

    # An event with a mark of its own, a guest who declines without a word, and versions that bind.
    mark = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Mark"
    marked = await mia.me.events.post(
        Event(
            subject="Marked",
            start=at("2030-05-20T10:00:00"),
            end=at("2030-05-20T11:00:00"),
            attendees=[Attendee(email_address=EmailAddress(address=NOAH, name="Noah North"))],
            single_value_extended_properties=[SingleValueLegacyExtendedProperty(id=mark, value="7")],
        ),
        asking(),
    )
    query = f"singleValueExtendedProperties/Any(ep: ep/id eq '{mark}' and ep/value eq '7')"
    parameters = EventsRequestBuilder.EventsRequestBuilderGetQueryParameters(filter=query)
    found = (await mia.me.events.get(asking(parameters=parameters))).value
    same([row.id for row in found], [marked.id])
    copies = [row.id for row in (await noah.me.events.get(asking())).value if row.subject == "Marked"]
    copy = noah.me.events.by_event_id(copies[0])
    await copy.decline.post(DeclinePostRequestBody(send_response=False), asking())
    await fails(copy.get(asking()), 404, "ErrorItemNotFound")
    one = mia.me.events.by_event_id(marked.id)
    more = Event(attendees=[*marked.attendees, Attendee(email_address=EmailAddress(address="ada@acme.example"))])
    changed = await one.patch(more, asking(If_Match=marked.additional_data["@odata.etag"]))
    same([row.status.response for row in changed.attendees], [ResponseType.None_] * 2)
    await fails(one.delete(asking(If_Match=marked.additional_data["@odata.etag"])), 412, "ErrorIrresolvableConflict")
    await one.delete(asking(If_Match=changed.additional_data["@odata.etag"]))
    await fails(one.get(asking()), 404, "ErrorItemNotFound")

    # Subscriptions.
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2)
    made = await mia.subscriptions.post(
        Subscription(
            change_type="created,updated,deleted",
            notification_url="https://hooks.example/m",
            resource="/me/events",
            expiration_date_time=until,
            client_state="secret",
        )
    )
    longer = await mia.subscriptions.by_subscription_id(made.id).patch(
        Subscription(expiration_date_time=until + datetime.timedelta(days=1))
    )
    same((longer.expiration_date_time - made.expiration_date_time).days, 1)
    await mia.subscriptions.by_subscription_id(made.id).delete()
    await fails(mia.subscriptions.by_subscription_id(made.id).get(), 404, "ResourceNotFound")


asyncio.run(main())
print(json.dumps({"checks": checks}))
