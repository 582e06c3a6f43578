// An administrator's day at the console, in Chromium and by keyboard alone. Script is switched off: the pages have none.
// usage: node console.mjs <origin>, with SANDBOX_CLIENTS, CHROMIUM and ADMIN_TOKEN in the environment; where SCREENSHOTS
// names a folder, every page is kept there as a picture.
// A line `ask <word>` on stdout asks the world for something; the next line on stdin says that it is there. The last line
// on stdout is JSON: {"pages": n}.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";

import { Reader } from "./reader.mjs";

const { SANDBOX_CLIENTS, CHROMIUM, ADMIN_TOKEN, SCREENSHOTS } = process.env;
const { chromium } = createRequire(path.join(SANDBOX_CLIENTS, "package.json"))("playwright-core");

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const ask = async (word) => {
  console.log(`ask ${word}`);
  assert.equal((await answers.next()).value, word);
};

// Nothing but the server in front of it can be reached.
const args = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];
const browser = await chromium.launch({ executablePath: CHROMIUM, args });
const context = await browser.newContext({ javaScriptEnabled: false, locale: "en-GB" });
const page = await context.newPage();
page.setDefaultTimeout(10_000);
const reader = new Reader(page, process.argv[2], SCREENSHOTS);

const signsIn = async () => {
  await reader.open("/bookings");
  await reader.look("sign-in");
  reader.expect(401);
  await page.keyboard.type("a wrong key");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.equal(await page.getByRole("alert").innerText(), "That is not the admin token. You find it in the server's configuration.");
  const described = await page.getByLabel("Admin token").getAttribute("aria-describedby");
  reader.is(described && described === (await page.getByRole("alert").getAttribute("id")), "the refusal is not told with the field");
  await reader.look("refused");
  await page.keyboard.type(ADMIN_TOKEN);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.equal(await page.title(), "Bookings · Syncline", "on to the page that was asked for");
};

const looksAround = async () => {
  await reader.press("Overview");
  await reader.reads("Parked", "Grace Hopper: Introduction", "2 held back", "salesforce", "connected");
  reader.is((await page.locator("h2").first().innerText()) === "Needs you", "what a person has to do does not come first");
  await reader.look("overview");
  await reader.tabsThrough("overview");
  await reader.tabTo("Disconnect", "rosa");
  await page.keyboard.press("Enter");
  await reader.open("/");
  const connected = await page.getByRole("button", { name: "Disconnect" }).count();
  reader.is(connected === 2, "an account is disconnected by a slip");
  await reader.press("Integrations");
  await reader.reads("people", "active", "meetings", "a draft");
  await reader.look("integrations");
  await reader.tabsThrough("integrations");
};

const bookings = async () => {
  await reader.press("Bookings");
  await reader.reads("Ada Lovelace: Introduction with Ada Lovelace", "Grace Hopper: Introduction with Grace Hopper");
  await reader.look("bookings");
  await reader.tabsThrough("bookings");
  await reader.write("Search", "nobody of this name");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await reader.look("no-bookings");
  await reader.press("Show all bookings");
  await reader.tabTo("parked only");
  await page.keyboard.press("Space");
  await reader.press("Show");
  await reader.lacks("Ada Lovelace");
  await reader.press("Grace Hopper");
  await reader.reads("parked", "What to do:");
  await reader.look("parked-booking");
  await reader.tabsThrough("parked-booking");
  await ask("mended");
  await reader.press("Replay");
  await ask("settled");
  await page.reload();
  await reader.reads("active · done", "account created, contact created, meeting created", "made here", "Messages");
  await reader.lacks("What to do:");
  await reader.look("booking");
};

const activity = async () => {
  await reader.press("Activity");
  await reader.look("activity");
  await reader.tabsThrough("activity");
  await reader.write("Search", "GRACE@client");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await reader.lacks("ada@client.example");
  await reader.tabTo("Details", "contact created");
  await page.keyboard.press("Enter");
  await reader.reads("API calls:");
  await reader.look("searched");
  await reader.tabTo("Kind");
  await page.keyboard.type("written");
  await reader.press("Show");
  await reader.reads("written");
  await reader.lacks("refused by the other side");
  await reader.write("Search", "nothing like that");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await reader.look("no-activity");
  await reader.press("Show everything");
  await reader.reads("meeting created");
};

const records = async () => {
  await reader.press("Integrations");
  await reader.press("people");
  await reader.reads("newsletter", "Held back", "What to do:", "salesforce Contact: read at");
  await reader.look("records");
  await reader.tabsThrough("records");
  await reader.press("salesforce is right", "LastName");
  await ask("decided");
  await page.reload();
  await reader.lacks("salesforce is right");
  await ask("reachable");
  await reader.press("Try again", "003dM0000000000QAA");
  await ask("one arrived");
  await reader.press("Try all again");
  await ask("all arrived");
  await page.reload();
  await reader.reads("Nothing is held back.");
  await reader.look("records-calm");
  await reader.press("Everything that happened");
  await reader.reads("Only what integration people did.");
  await reader.write("Search", "LastName");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await reader.reads("Only what integration people did.", "LastName and LASTNAME differed");
  await reader.look("of-one-integration");
};

const calendars = async () => {
  await reader.press("Integrations");
  await reader.press("meetings");
  await reader.look("calendars-draft");
  await reader.tabsThrough("calendars-draft");
  await reader.press("Preview");
  await reader.reads("0 upcoming events would be logged, 1 not:", "Before", "The event was there before the calendar was connected.");
  await reader.look("preview");
  await reader.write("Who agrees", "Rosa");
  await reader.press("Activate");
  await reader.reads("active");
  await ask("meetings");
  await reader.press("Look now");
  await ask("logged");
  await page.reload();
  await reader.reads("3 left out", "1 left out: internal only");
  await reader.look("calendars");
  await reader.tabsThrough("calendars");
  await reader.press("12 logged");
  await reader.reads("Demo 01", "logged as", "with ada@client.example");
  await reader.lacks("Team");
  await reader.look("logged");
  await reader.tabTo("Show");
  await page.keyboard.type("left out");
  await reader.press("Show");
  await reader.reads("Team", "left out: Nobody from outside takes part.", "Invite the contact", "Before", "(private)");
  await reader.lacks("Demo 01", "Salary");
  await reader.look("left-out");
  await reader.open("/integrations/meetings/events?show=held");
  await reader.look("no-events");
  await reader.press("Show all events");
  await reader.reads("Demo 01", "Team");
  await reader.press("Back to the integration");
  await ask("vanished");
  await reader.press("Look now");
  await reader.reads("does not show 11 of");
  await reader.look("vanished");
  await reader.tabTo("whatever is missing");
  await page.keyboard.press("Space");
  await reader.press("Look now");
  await ask("called off");
  await reader.press("Pause");
  await reader.reads("paused");
};

const leaves = async () => {
  for (const [address, status] of [["/nowhere", 404], ["/integrations/nowhere", 404], ["/activity?kind=nonsense", 400]]) {
    reader.expect(status);
    await reader.open(address);
    await reader.look(`problem-${status}`);
  }
  await reader.press("What to do about it");
  await reader.look("error");
  await reader.press("First page");
  await reader.press("Sign out");
  await reader.open("/activity");
  assert.equal(await page.title(), "Sign in · Syncline");
};

try {
  for (const part of [signsIn, looksAround, bookings, activity, records, calendars, leaves]) await part();
  assert.deepEqual(reader.expected, [], "refusals that did not come");
} catch (error) {
  reader.is(false, error.message);
} finally {
  for (const wrong of new Set(reader.wrong)) console.error(wrong);
  process.exitCode = reader.wrong.length ? 1 : 0;
  console.log(JSON.stringify({ pages: reader.looked }));
  await browser.close();
  process.stdin.destroy();
}
