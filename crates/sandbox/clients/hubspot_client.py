"""Uses HubSpot's own Python client against the sandbox as a program would, and checks what it gets.

usage: hubspot_client.py <base url>, with the account's credentials and a signed delivery as JSON in the environment
The last line on stdout is JSON: {"checks": n}.
"""
import json
import os
import sys

from hubspot import Client
from hubspot.crm import companies, contacts, lists, objects, properties
from hubspot.crm.associations.v4 import (
    AssociationSpec,
    BatchInputPublicAssociationMultiPost,
    BatchInputPublicFetchAssociationsBatchRequest,
    PublicAssociationMultiPost,
    PublicFetchAssociationsBatchRequest,
    PublicObjectId,
)
from hubspot.oauth.exceptions import ApiException as OauthException
from hubspot.utils.signature import Signature

BASE = sys.argv[1]
CREDENTIALS = json.loads(os.environ["SANDBOX_CREDENTIALS"])
DELIVERY = json.loads(os.environ["SANDBOX_DELIVERY"])
checks = 0


def same(actual, expected):
    global checks
    assert actual == expected, f"{actual!r} is not {expected!r}"
    checks += 1


def true(what):
    same(bool(what), True)


def fails(call, kind, status, category=None):
    global checks
    try:
        call()
    except kind as error:
        assert error.status == status, error
        body = json.loads(error.body)
        if category is not None:
            assert body["category"] == category, body
        checks += 1
        return body
    raise AssertionError(f"expected {kind.__name__}")


client = Client.create(access_token=CREDENTIALS["private_apps"][0]["token"], host=BASE)
crm = client.crm
Wrong = contacts.exceptions.ApiException

# One record at a time.
ada = crm.contacts.basic_api.create(
    contacts.SimplePublicObjectInputForCreate(
        properties={"email": "Ada@example.org", "firstname": "Ada", "hs_lead_status": "NEW"}
    )
)
same(ada.properties["email"], "ada@example.org")
same(ada.properties["hs_object_source"], "INTEGRATION")
same(ada.archived, False)
true(ada.created_at.year >= 2024)
read = crm.contacts.basic_api.get_by_id(
    "ada@example.org", id_property="email", properties=["firstname", "city"], properties_with_history=["firstname"]
)
same((read.id, read.properties["city"]), (ada.id, None))
same(read.properties_with_history["firstname"][0].source_type, "INTEGRATION")
changed = crm.contacts.basic_api.update(ada.id, contacts.SimplePublicObjectInput(properties={"firstname": ""}))
same(changed.properties["firstname"], "")
again = contacts.SimplePublicObjectInputForCreate(properties={"email": "ADA@example.org"})
told = fails(lambda: crm.contacts.basic_api.create(again), Wrong, 409, "CONFLICT")
same(told["message"], f"Contact already exists. Existing ID: {ada.id}")
bad = contacts.SimplePublicObjectInput(properties={"hs_lead_status": "nope"})
fails(lambda: crm.contacts.basic_api.update(ada.id, bad), Wrong, 400, "VALIDATION_ERROR")
fails(lambda: crm.contacts.basic_api.get_by_id("1"), Wrong, 404, "OBJECT_NOT_FOUND")

# Batches.
made = crm.contacts.batch_api.create(
    contacts.BatchInputSimplePublicObjectBatchInputForCreate(
        inputs=[
            contacts.SimplePublicObjectBatchInputForCreate(
                properties={"email": f"p{n}@example.org"}, object_write_trace_id=f"op-{n}"
            )
            for n in range(25)
        ]
    )
)
same((made.status, len(made.results)), ("COMPLETE", 25))
same({row.object_write_trace_id for row in made.results}, {f"op-{n}" for n in range(25)})
rows = [
    contacts.SimplePublicObjectBatchInputUpsert(
        id=email, id_property="email", object_write_trace_id=email, properties={"city": city}
    )
    for email, city in [("p0@example.org", "Bonn"), ("new@example.org", "Berlin"), ("p1@example.org", "Köln")]
]
upserted = crm.contacts.batch_api.upsert(contacts.BatchInputSimplePublicObjectBatchInputUpsert(inputs=rows))
same({row.properties["city"]: row.new for row in upserted.results}, {"Bonn": False, "Berlin": True, "Köln": False})
some = contacts.BatchReadInputSimplePublicObjectId(
    id_property="email",
    inputs=[contacts.SimplePublicObjectId(id="p3@example.org"), contacts.SimplePublicObjectId(id="nobody@example.org")],
    properties=["email"],
    properties_with_history=[],
)
found = crm.contacts.batch_api.read(some)
same((found.num_errors, found.errors[0].category), (1, "OBJECT_NOT_FOUND"))
same([row.properties["email"] for row in found.results], ["p3@example.org"])

# Pages and searches.
same(len(crm.contacts.get_all()), 27)
page = crm.contacts.basic_api.get_page(limit=20, properties=["email"])
same((len(page.results), page.paging.next.after), (20, page.results[-1].id))
search = contacts.PublicObjectSearchRequest(
    filter_groups=[
        contacts.FilterGroup(
            filters=[
                contacts.Filter(property_name="lastmodifieddate", operator="GTE", value="0"),
                contacts.Filter(property_name="city", operator="HAS_PROPERTY"),
            ]
        )
    ],
    sorts=["-city"],
    properties=["city"],
    limit=2,
)
result = crm.contacts.search_api.do_search(search)
same((result.total, [row.properties["city"] for row in result.results]), (3, ["Köln", "Bonn"]))
same(result.paging.next.after, "2")

# Other objects and what joins them.
bossa = crm.companies.basic_api.create(
    companies.SimplePublicObjectInputForCreate(properties={"name": "Bossa", "domain": "bossa.example"})
)
same(bossa.properties["website"], "bossa.example")
joined = crm.associations.v4.basic_api.create_default("contacts", ada.id, "companies", bossa.id)
same(joined.status, "COMPLETE")
labels = crm.associations.v4.schema.definitions_api.get_all("contacts", "companies")
true({279, 1} <= {label.type_id for label in labels.results})
spec = AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=279)
other = made.results[0].id
batch = BatchInputPublicAssociationMultiPost(
    inputs=[PublicAssociationMultiPost(_from=PublicObjectId(id=other), to=PublicObjectId(id=bossa.id), types=[spec])]
)
same(crm.associations.v4.batch_api.create("contacts", "companies", batch).results[0].to_object_id, bossa.id)
asked = BatchInputPublicFetchAssociationsBatchRequest(inputs=[PublicFetchAssociationsBatchRequest(id=bossa.id)])
joined = crm.associations.v4.batch_api.get_page("companies", "contacts", asked).results[0]
same({row.to_object_id for row in joined.to}, {ada.id, other})
with_links = crm.contacts.basic_api.get_by_id(ada.id, associations=["companies"])
same({row.id for row in with_links.associations["companies"].results}, {bossa.id})
meeting = crm.objects.basic_api.create(
    "meetings",
    objects.SimplePublicObjectInputForCreate(
        properties={"hs_meeting_title": "T", "hs_meeting_start_time": "2026-06-01T10:00:00Z"},
        associations=[
            objects.PublicAssociationsForObject(
                to=objects.PublicObjectId(id=ada.id),
                types=[objects.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=200)],
            )
        ],
    ),
)
same(meeting.properties["hs_timestamp"], "2026-06-01T10:00:00Z")

# Properties, owners, pipelines, lists.
new = properties.PropertyCreate(
    name="syncline_uid", label="Uid", type="string", field_type="text", group_name="contactinformation", has_unique_value=True
)
same(crm.properties.core_api.create("contacts", new).has_unique_value, True)
known = {one.name: one for one in crm.properties.core_api.get_all("contacts").results}
same((known["email"].type, known["hs_object_id"].modification_metadata.read_only_value), ("string", True))
same([owner.email for owner in crm.owners.owners_api.get_page().results], ["ola@host.example", "rosa@host.example"])
same(crm.pipelines.pipelines_api.get_all("deals").results[0].stages[0].id, "appointmentscheduled")
on = crm.lists.memberships_api.add_and_remove(
    "1", lists.MembershipChangeRequest(record_ids_to_add=[ada.id, "1"], record_ids_to_remove=[])
)
same((on.records_ids_added, on.record_ids_missing), ([ada.id], ["1"]))

# Merging and erasing.
merged = crm.contacts.basic_api.merge(
    contacts.PublicMergeInput(primary_object_id=ada.id, object_id_to_merge=made.results[1].id)
)
true(merged.id not in (ada.id, made.results[1].id))
same(crm.contacts.basic_api.get_by_id(ada.id).id, merged.id)
crm.contacts.basic_api.purge(contacts.PublicGdprDeleteInput(object_id=made.results[2].id))
fails(lambda: crm.contacts.basic_api.get_by_id(made.results[2].id, archived=True), Wrong, 404)
crm.contacts.basic_api.archive(made.results[3].id)
same(crm.contacts.basic_api.get_by_id(made.results[3].id, archived=True).archived, True)

# Tokens.
token = client.oauth.tokens_api.create(
    grant_type="refresh_token",
    client_id=CREDENTIALS["client_id"],
    client_secret=CREDENTIALS["client_secret"],
    refresh_token=CREDENTIALS["refresh_token"],
)
same((token.expires_in, token.token_type), (1800, "bearer"))
public = Client.create(access_token=token.access_token, host=BASE)
true(public.crm.contacts.basic_api.get_page(limit=1).results)
refused = fails(
    lambda: client.oauth.tokens_api.create(
        grant_type="refresh_token",
        client_id=CREDENTIALS["client_id"],
        client_secret=CREDENTIALS["client_secret"],
        refresh_token="nonsense",
    ),
    OauthException,
    400,
)
same(refused["status"], "BAD_REFRESH_TOKEN")
fails(lambda: Client.create(access_token="x", host=BASE).crm.contacts.basic_api.get_page(), Wrong, 401)
developer = Client.create(api_key=CREDENTIALS["developer_key"], host=BASE)
settings = developer.webhooks.settings_api.get_all(CREDENTIALS["app_id"])
same(settings.target_url, DELIVERY["url"])

# Webhooks, by the client's own idea of a signature.
headers, secret = DELIVERY["headers"], CREDENTIALS["client_secret"]
same(
    Signature.is_valid(
        signature=headers["x-hubspot-signature-v3"],
        client_secret=secret,
        request_body=DELIVERY["body"],
        http_uri=DELIVERY["url"],
        signature_version="v3",
        timestamp=headers["x-hubspot-request-timestamp"],
    ),
    True,
)
same(
    Signature.is_valid(
        signature=headers["x-hubspot-signature"],
        client_secret=secret,
        request_body=DELIVERY["body"],
        signature_version=headers["x-hubspot-signature-version"],
    ),
    True,
)

print(json.dumps({"checks": checks}))
