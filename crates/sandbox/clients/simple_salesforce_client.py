"""Uses simple-salesforce against the sandbox as a program would, and checks what it gets.

usage: simple_salesforce_client.py <base url> [<private key file>]
The last line on stdout is JSON: {"checks": n}.
"""
import json
import sys

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, SalesforceLogin, format_soql
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

BASE = sys.argv[1]
HOST = BASE.split("//")[1]
VERSION = "64.0"
checks = 0


def same(actual, expected):
    global checks
    assert actual == expected, f"{actual!r} is not {expected!r}"
    checks += 1


def fails(call, kind, code=None):
    global checks
    try:
        call()
    except kind as error:
        if code is not None:
            assert error.content[0]["errorCode"] == code, error
        checks += 1
        return
    raise AssertionError(f"expected {kind.__name__}")


class Plain(HTTPAdapter):
    """The client insists on https; the sandbox speaks http."""

    def send(self, request, **kwargs):
        # Whatever host the client would log in at, the imitation org is where it arrives.
        rest = request.url.split("://", 1)[1].split("/", 1)[1]
        request.url = f"{BASE}/{rest}"
        return super().send(request, **kwargs)


session = requests.Session()
session.mount("https://", Plain())
creds = requests.get(f"{BASE}/_sandbox/credentials.json").json()

# SOAP login with security token.
sf = Salesforce(username=creds["username"], password=creds["password"], security_token=creds["security_token"],
                session=session, version=VERSION)
same(sf.sf_instance, HOST)
fails(lambda: SalesforceLogin(username=creds["username"], password="wrong", security_token="", session=session,
                              sf_version=VERSION), SalesforceAuthenticationFailed)

# OAuth: password and client credentials.
sid, instance = SalesforceLogin(username=creds["username"], password=creds["password"], session=session,
                                consumer_key=creds["client_id"], consumer_secret=creds["client_secret"],
                                sf_version=VERSION)
same(instance, HOST)
sid, instance = SalesforceLogin(consumer_key=creds["client_id"], consumer_secret=creds["client_secret"],
                                session=session, domain="my-org.my", sf_version=VERSION)
same(instance, HOST)

# The JWT bearer flow.
if len(sys.argv) > 2:
    sid, instance = SalesforceLogin(username=creds["username"], consumer_key=creds["client_id"],
                                    privatekey_file=sys.argv[2], session=session, sf_version=VERSION)
    same(instance, HOST)
    same(Salesforce(instance=HOST, session_id=sid, session=session, version=VERSION)
         .query("SELECT Id FROM User WHERE IsActive = false")["totalSize"], 1)
    fails(lambda: SalesforceLogin(username="nobody@nowhere.example", consumer_key=creds["client_id"],
                                  privatekey_file=sys.argv[2], session=session, sf_version=VERSION),
          SalesforceAuthenticationFailed)

# Describe.
same({field["name"]: field["length"] for field in sf.Lead.describe()["fields"]}["Company"], 255)
same("Event" in [object_["name"] for object_ in sf.describe()["sobjects"]], True)
same(sf.Account.metadata()["objectDescribe"]["keyPrefix"], "001")

# One record.
made = sf.Contact.create({"LastName": "D'Arcy", "Email": "darcy@guest.example"})
same(made["success"], True)
same(sf.Contact.get(made["id"])["Name"], "D'Arcy")
same(sf.Contact.update(made["id"], {"FirstName": "Fitz"}), 204)
found = sf.query(format_soql("SELECT Name FROM Contact WHERE LastName = {}", "D'Arcy"))
same(found["records"][0]["Name"], "Fitz D'Arcy")
found = sf.query(format_soql("SELECT Id FROM Contact WHERE LastName LIKE '{:like}%'", "D'"))
same(found["totalSize"], 1)
fails(lambda: sf.Contact.create({"FirstName": "x"}), SalesforceMalformedRequest, "REQUIRED_FIELD_MISSING")
fails(lambda: sf.query("SELECT Nope FROM Contact"), SalesforceMalformedRequest, "INVALID_FIELD")
fails(lambda: sf.Contact.get("003000000000999AAA"), SalesforceResourceNotFound, "NOT_FOUND")

# Upsert by external id: 201, then 200.
same(sf.Contact.upsert("Syncline_Uid__c/py%2F1", {"LastName": "Up"}), 201)
same(sf.Contact.upsert("Syncline_Uid__c/py%2F1", {"LastName": "Upped"}), 200)
same(sf.Contact.get_by_custom_id("Syncline_Uid__c", "py/1")["LastName"], "Upped")
fails(lambda: sf.Contact.upsert("Syncline_Uid__c/x", {"LastName": "x", "Syncline_Uid__c": "x"}),
      SalesforceMalformedRequest, "INVALID_FIELD")

# Paging over 2,000 rows, written 200 at a time.
for start in range(0, 2_300, 200):
    rows = [{"attributes": {"type": "Account"}, "Name": f"Bulk {n}"} for n in range(start, min(start + 200, 2_300))]
    result = sf.restful("composite/sobjects", method="POST", data=json.dumps({"allOrNone": True, "records": rows}))
    assert all(row["success"] for row in result)
first = sf.query("SELECT Id FROM Account ORDER BY Name")
same((first["totalSize"], first["done"], len(first["records"])), (2_300, False, 2_000))
same(len(sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)["records"]), 300)
same(sf.query_all("SELECT Id FROM Account")["totalSize"], 2_300)
same(len(list(sf.query_all_iter("SELECT Id, Name FROM Account"))), 2_300)

# Deleted rows are seen by queryAll.
same(sf.Contact.delete(made["id"]), 204)
same(sf.query_all("SELECT Id FROM Contact WHERE LastName = 'D\\'Arcy'", include_deleted=True)["totalSize"], 1)
same(sf.query_all("SELECT Id FROM Contact WHERE LastName = 'D\\'Arcy'")["totalSize"], 0)
same(sf.limits()["DailyApiRequests"]["Max"], 15_000)
same(sf.api_usage["api-usage"].total, 15_000)

# Attendees.
event = sf.Event.create({"Subject": "Demo", "StartDateTime": "2026-05-07T10:00:00Z", "DurationInMinutes": 30})
guest = sf.Contact.create({"LastName": "Guest"})
relation = sf.EventRelation.create({"EventId": event["id"], "RelationId": guest["id"], "Status": "Accepted"})
same(relation["id"][:3], "0RE")
fails(lambda: sf.EventRelation.create({"EventId": event["id"], "RelationId": guest["id"]}),
      SalesforceMalformedRequest, "DUPLICATE_VALUE")
same(sf.Event.get(event["id"])["IsGroupEvent"], True)

# Bulk API 2.0, in and out.
job = sf.bulk2.Campaign.insert(records=[{"Name": "One"}, {"Name": "Two, too"}], wait=1)[0]
same((job["numberRecordsProcessed"], job["numberRecordsFailed"]), (2, 0))
job = sf.bulk2.Campaign.upsert(records=[{"Id": guest["id"], "Name": "No"}], wait=1)[0]
same(job["numberRecordsFailed"], 1)
same("sf__Error" in sf.bulk2.Campaign.get_failed_records(job["job_id"]), True)
pages = list(sf.bulk2.Campaign.query("SELECT Name FROM Campaign ORDER BY Name", max_records=1))
same([page.splitlines()[1] for page in pages], ['"One"', '"Two, too"'])

print(json.dumps({"checks": checks}))
