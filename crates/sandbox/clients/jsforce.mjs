// Uses jsforce against the sandbox as a program would, and checks what it gets. usage: node jsforce.mjs <base url>
// The last line on stdout is JSON: {"checks": n}.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const clients = process.env.SANDBOX_CLIENTS;
const jsforce = createRequire(path.join(clients, "package.json"))("jsforce");
const base = process.argv[2];
const version = "64.0";
const creds = await (await fetch(`${base}/_sandbox/credentials.json`)).json();
let checks = 0;
const is = (actual, expected, what) => { assert.deepEqual(actual, expected, what); checks += 1; };
const fails = async (promise, code) => {
  await assert.rejects(promise, (error) => { assert.ok([error.errorCode, error.message.split(":")[0]].includes(code), String(error)); return true; });
  checks += 1;
};

// SOAP login with password and security token.
const soap = new jsforce.Connection({ loginUrl: base, version });
const user = await soap.login(creds.username, creds.password + creds.security_token);
is(user.id, creds.user_id);
is(user.organizationId, creds.organization_id);
await fails(new jsforce.Connection({ loginUrl: base, version }).login(creds.username, "wrong"), "INVALID_LOGIN");

// The password flow of OAuth.
const oauth2 = { loginUrl: base, clientId: creds.client_id, clientSecret: creds.client_secret, redirectUri: `${base}/cb` };
const byPassword = new jsforce.Connection({ oauth2, version });
is((await byPassword.login(creds.username, creds.password)).id, creds.user_id);

// A dead session with a refresh token: refreshed by itself.
const conn = new jsforce.Connection({
  oauth2, version, instanceUrl: base, accessToken: "stale", refreshToken: creds.refresh_token,
});
let refreshed = 0;
conn.on("refresh", () => { refreshed += 1; });
const identity = await conn.identity();
is(identity.user_id, creds.user_id);
is((await conn.query("SELECT Id FROM User WHERE IsActive = true LIMIT 1")).totalSize, 1);
is(refreshed >= 1, true);

// The client-credentials flow.
const answer = await new jsforce.OAuth2(oauth2)._postParams({
  grant_type: "client_credentials", client_id: creds.client_id, client_secret: creds.client_secret,
});
is(answer.token_type, "Bearer");

// Describe.
const described = await conn.sobject("Contact").describe();
is(described.keyPrefix, "003");
is(described.fields.find((field) => field.name === "LastName").length, 80);
is(described.fields.find((field) => field.name === "Syncline_Uid__c").externalId, true);
is((await conn.describeGlobal()).sobjects.some((object) => object.name === "Event"), true);

// One record: create, read, change, delete.
const account = await conn.sobject("Account").create({ Name: "O'Neill & Söhne" });
is(account.success, true);
is((await conn.sobject("Account").retrieve(account.id)).Name, "O'Neill & Söhne");
is((await conn.sobject("Account").update({ Id: account.id, Phone: "+49 30 1" })).success, true);
is((await conn.sobject("Account").findOne({ Name: "O'Neill & Söhne" }, ["Id", "Phone"])).Phone, "+49 30 1");
await fails(conn.sobject("Account").create({}), "REQUIRED_FIELD_MISSING");
await fails(conn.sobject("Account").create({ Name: "x", Nope__c: 1 }), "INVALID_FIELD");
await fails(conn.sobject("Contact").create({ LastName: "x", Email: "no" }), "INVALID_EMAIL_ADDRESS");

// Upsert by external id, twice.
const up = await conn.sobject("Contact").upsert({ Syncline_Uid__c: "c-1", LastName: "One" }, "Syncline_Uid__c");
is(up.success, true);
const again = await conn.sobject("Contact").upsert({ Syncline_Uid__c: "c-1", LastName: "Two" }, "Syncline_Uid__c");
is(again.success, true);
is((await conn.sobject("Contact").find({ Syncline_Uid__c: "c-1" }, "LastName")).map((row) => row.LastName), ["Two"]);

// Collections of 200 and more, which the client cuts up; a bad row does not spoil its neighbours.
const many = Array.from({ length: 450 }, (_, n) => ({ LastName: `Many ${n}`, Department: "bulk" }));
is((await conn.sobject("Contact").create(many, { allowRecursive: true })).every((row) => row.success), true);
const mixed = await conn.sobject("Contact").create([{ LastName: "fine" }, { FirstName: "no last name" }]);
is(mixed.map((row) => row.success), [true, false]);
is(mixed[1].errors[0].errorCode ?? mixed[1].errors[0].statusCode, "REQUIRED_FIELD_MISSING");
const upserted = await conn.sobject("Contact").upsert(
  [{ Syncline_Uid__c: "c-1", LastName: "Three" }, { Syncline_Uid__c: "c-2", LastName: "New" }], "Syncline_Uid__c");
is(upserted.map((row) => row.success), [true, true]);

// Paging: the smallest page is 200.
const page = await conn.query("SELECT Id, LastName FROM Contact WHERE Department = 'bulk'", {
  headers: { "Sforce-Query-Options": "batchSize=200" }, autoFetch: false,
});
is([page.totalSize, page.done, page.records.length], [450, false, 200]);
const next = await conn.queryMore(page.nextRecordsUrl);
is(next.records.length, 200);
is((await conn.queryMore(next.nextRecordsUrl)).done, true);

// Relationships and aggregates.
await conn.sobject("Contact").update({ Id: upserted[1].id, AccountId: account.id });
const nested = await conn.query("SELECT Name, (SELECT LastName FROM Contacts) FROM Account");
is(nested.records[0].Contacts.records[0].LastName, "New");
is((await conn.query("SELECT COUNT(Id) n FROM Contact WHERE Department = 'bulk'")).records[0].n, 450);

// Composite through the plain request method, with references.
const composite = await conn.request({
  method: "POST", url: `/services/data/v${version}/composite`, headers: { "content-type": "application/json" },
  body: JSON.stringify({ allOrNone: true, compositeRequest: [
    { method: "POST", url: `/services/data/v${version}/sobjects/Lead`, referenceId: "lead",
      body: { LastName: "L", Company: "C" } },
    { method: "GET", url: `/services/data/v${version}/sobjects/Lead/@{lead.id}?fields=Status`, referenceId: "read" },
  ] }),
});
is(composite.compositeResponse.map((part) => part.httpStatusCode), [201, 200]);
is(composite.compositeResponse[1].body.Status, "Open - Not Contacted");

// Deletion is soft.
is((await conn.sobject("Account").destroy(account.id)).success, true);
is((await conn.query("SELECT Id FROM Account")).totalSize, 0);
is((await conn.query("SELECT Id, IsDeleted FROM Account", { scanAll: true })).records[0].IsDeleted, true);
await fails(conn.sobject("Account").retrieve(account.id), "ENTITY_IS_DELETED");

// Attendees: a guest and a user, who gets a child event.
const guest = await conn.sobject("Contact").create({ LastName: "Guest" });
const host = await conn.query("SELECT Id FROM User WHERE LastName = 'Broker'");
const event = await conn.sobject("Event").create({
  Subject: "Demo", StartDateTime: "2026-05-07T10:00:00Z", DurationInMinutes: 30, WhoId: guest.id });
const relations = await conn.sobject("EventRelation").create([
  { EventId: event.id, RelationId: guest.id }, { EventId: event.id, RelationId: host.records[0].Id }]);
is(relations.map((row) => row.success), [true, true]);
await fails(conn.sobject("EventRelation").create({ EventId: event.id, RelationId: guest.id }), "DUPLICATE_VALUE");
is((await conn.query("SELECT Id FROM Event WHERE IsChild = true")).totalSize, 1);
const attended = await conn.query(`SELECT Subject, (SELECT Status FROM EventRelations) FROM Event WHERE Id = '${event.id}'`);
is(attended.records[0].EventRelations.records.map((row) => row.Status), ["New", "New"]);
is((await conn.sobject("Event").layouts()).layouts[0].relatedLists[0].name, "EventRelations");

// A duplicate rule, put into force while the org runs.
const steer = async (path, body) => {
  const answer = await fetch(`${base}/_sandbox/${path}`, { method: "PUT", body: JSON.stringify(body) });
  assert.ok(answer.ok, await answer.text());
};
await steer("rules", { duplicate_rules: [{ name: "By_email", object: "Contact", on_create: "alert",
  matching: [{ name: "Email", object: "Contact", fields: [{ field: "Email" }] }] }] });
await conn.sobject("Contact").create({ LastName: "Once", Email: "once@guest.example" });
await fails(conn.sobject("Contact").create({ LastName: "Twice", Email: "once@guest.example" }), "DUPLICATES_DETECTED");
is((await conn.sobject("Contact").create({ LastName: "Twice", Email: "once@guest.example" }, {
  headers: { "Sforce-Duplicate-Rule-Header": "allowSave=true" } })).success, true);
await steer("rules", {});

// Conversion and merging, which have no REST resource.
const lead = await conn.sobject("Lead").create({ LastName: "Convert", Company: "Söhne & Co" });
const converted = await conn.soap.convertLead({ leadId: lead.id, convertedStatus: "Closed - Converted",
  doNotCreateOpportunity: false, overwriteLeadSource: false, sendNotificationEmail: false });
is(converted.success, true);
is((await conn.sobject("Lead").retrieve(lead.id)).ConvertedContactId, converted.contactId);
const merged = await conn.soap.merge({ masterRecord: { type: "Contact", Id: converted.contactId },
  recordToMergeIds: [guest.id] });
is(merged.success, true);
is((await conn.sobject("Event").retrieve(event.id)).WhoId, converted.contactId);

// Bulk API 2.0, in and out.
conn.bulk2.pollInterval = 100;
const loaded = await conn.bulk2.loadAndWaitForResults({ object: "Campaign", operation: "insert",
  input: [{ Name: "Bulk \"one\"", Status: "Planned" }, { Name: "Bulk, two" }, { Name: "", Status: "Planned" }] });
is([loaded.successfulResults.length, loaded.failedResults.length], [2, 1]);
const rows = await (await conn.bulk2.query("SELECT Id, Name FROM Campaign ORDER BY Name")).toArray();
is(rows.map((row) => row.Name), ['Bulk "one"', "Bulk, two"]);

// Limits are seen in every answer.
is(conn.limitInfo.apiUsage.limit, 15000);
is((await conn.limits()).DailyApiRequests.Max, 15000);

console.log(JSON.stringify({ checks }));
