"""A day in the life of the server that scripts/mailserver has made: forty steps, each asserted.

usage: day.py DIRECTORY SCREENSHOTS
"""
import imaplib, json, os, smtplib, ssl, subprocess, sys, time
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

directory, screenshots = sys.argv[1:]
passwords = dict(line.strip().split("_password=") for line in open(f"{directory}/passwords"))
doors = {name: int(port) for name, port in (line.split() for line in open(f"{directory}/doors"))}
web = f"http://127.0.0.1:{doors['web']}"
mailserver = os.path.join(os.path.dirname(__file__), "..", "mailserver")
done = 0


def step(text):
    """The next step begins; those before it have held."""
    global done
    done += 1
    print(f"{done:2}  {text}", flush=True)


def equal(value, expected):
    assert value == expected, f"{value!r}, not {expected!r}"


def holds(text, *parts):
    for part in parts:
        assert part in text, f"{part!r} is not in {text!r}"


def inside(command, status=0):
    """Runs lines of bash(1) on the server, and returns what they print."""
    ending = subprocess.run([mailserver, "run", directory, "bash", "-c", command], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    assert status is None or ending.returncode == status, f"{command}: status {ending.returncode}: {ending.stdout}"
    return ending.stdout


def from_inside(program):
    """Runs lines of Python in the server's network."""
    process = open(f"{directory}/process").read().strip()
    return subprocess.run(["nsenter", f"--net=/proc/{process}/ns/net", sys.executable, "-c", program],
                          stdout=subprocess.PIPE, check=True).stdout.decode()


def until(question, what, seconds=30):
    """Asks until there is an answer, and returns it."""
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)
    return answer


def message(size, subject="Hello"):
    head = f"From: x@client.example.net\r\nTo: you\r\nSubject: {subject}\r\n\r\n"
    line = "x" * 70 + "\r\n"
    return (head + line * (size // len(line) + 1))[:size - 2] + "\r\n"


def smtp(door="smtp", helo="client.example.net"):
    return smtplib.SMTP("127.0.0.1", doors[door], local_hostname=helo, timeout=60)


def send(recipients, size=2000, sender="x@client.example.net", subject="Hello"):
    """Sends a message from outside. Raises smtplib.SMTPResponseException if it is refused."""
    client = smtp()
    client.ehlo_or_helo_if_needed()
    for code, text in (client.mail(sender, [f"size={size}"]), *(client.rcpt(to) for to in recipients.split())):
        if code != 250:
            client.quit()
            raise smtplib.SMTPResponseException(code, text.decode())
    code, text = client.data(message(size, subject))
    client.quit()
    if code != 250:
        raise smtplib.SMTPResponseException(code, text.decode())


def refused(code, *parts, **arguments):
    try:
        send(**arguments)
    except smtplib.SMTPResponseException as refusal:
        equal(refusal.smtp_code, code)
        holds(str(refusal.smtp_error), *parts)
    else:
        raise AssertionError(f"{arguments} was taken")


def status(address):
    return json.loads(inside(f"ullage status --format json {address}", None))[0]


def files(address, folder=""):
    user, domain = address.split("@")
    maildir = f"/var/vmail/{domain}/{user}/{folder}"
    return inside(f"[ ! -d {maildir} ] || (cd {maildir} && find new cur -type f)").split()


def ledger(address):
    user, domain = address.split("@")
    return inside(f"cat /var/vmail/{domain}/{user}/maildirsize")


def log(text):
    """The last line of a delivery that has the text in it, such as an address."""
    lines = inside(f"journalctl -q -o cat -t ullage-deliver | grep -F '{text}' || true")
    return lines.splitlines()[-1] if lines else ""


def delivered(address, count):
    """Waits until a mailbox has so many messages, and none waits for it."""
    until(lambda: len(files(address)) == count, f"{count} messages in {address}: {files(address)} {inside('mailq')}")


def queue(server="postfix"):
    return [json.loads(line) for line in inside(f"postqueue -c /etc/{server} -j").splitlines()]


def recounted_exactly(address):
    holds(inside(f"ullage recompute {address}"), "exact")


def imap(address):
    client = imaplib.IMAP4("127.0.0.1", doors["imap"])
    client.login(address, passwords[address.split("@")[0]])
    return client


class Browser:
    """Chromium without a window."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        for option in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "window-size=1280,720"):
            options.add_argument(f"--{option}")
        options.binary_location = "/usr/bin/chromium"
        self.page = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)

    def open(self, path):
        self.page.get(f"{web}/{path}")

    def fill(self, **values):
        """Fills in fields of a form by their names; a name inside value[] is one of PostfixAdmin's."""
        for name, value in values.items():
            field = next(iter(self.page.find_elements(By.NAME, f"value[{name}]")), None) \
                or self.page.find_element(By.NAME, name)
            if field.tag_name == "select":
                Select(field).select_by_value(value)
            elif field.get_attribute("type") == "checkbox":
                if field.is_selected() != value:
                    field.click()
            else:
                field.clear()
                field.send_keys(value)

    def text(self, selector="body"):
        return self.page.find_element(By.CSS_SELECTOR, selector).text

    def click(self, selector):
        self.page.find_element(By.CSS_SELECTOR, selector).click()

    def submit(self, selector="[type=submit]"):
        """Clicks, and waits for the page that comes."""
        self.page.execute_script("window.isBefore = true")
        self.click(selector)
        there = "return !window.isBefore && document.readyState == 'complete'"
        until(lambda: self.page.execute_script(there), "a page")

    def keep(self, name, element=None):
        """Keeps a picture of the page, with the element in the middle."""
        if element:
            self.page.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        self.page.save_screenshot(f"{screenshots}/{name}.png")

    def log_in_to_postfixadmin(self):
        self.open("postfixadmin/login.php")
        self.fill(fUsername="admin@example.com", fPassword=passwords["admin"])
        self.submit("[name=submit]")

    def log_in_to_roundcube(self, address):
        self.open("roundcube/")
        self.fill(_user=address, _pass=passwords[address.split("@")[0]])
        self.submit("#rcmloginsubmit")
        until(lambda: self.page.find_elements(By.ID, "quotadisplay"), "Roundcube shows the quota")

    def quota(self):
        """What Roundcube's bar says, and its tooltip."""
        self.open("roundcube/?_task=mail&_mbox=INBOX")
        bar = until(lambda: self.page.find_elements(By.ID, "rcmquotadisplay"), "Roundcube shows the quota")[0]
        text = until(lambda: bar.get_attribute("textContent"), "a percentage")
        return text, bar.get_attribute("title") or bar.get_attribute("data-original-title")


def mailbox(address):
    """The row of a mailbox in PostfixAdmin's list."""
    browser.open("postfixadmin/list-virtual.php?domain=" + address.split("@")[1])
    rows = browser.page.find_elements(By.CSS_SELECTOR, "tr")
    return next(row for row in rows if address in row.text and "Mailbox" in row.text)


def kibibytes(size):
    return -(-size // 1024)


def percent(address):
    """Used space in whole percent of the limit, from the files alone, in KiB as IMAP has it."""
    sizes = inside(f"find /var/vmail/{'/'.join(reversed(address.split('@')))} -path '*/.Trash/*' -prune"
                   " -o \\( -path '*/new/*' -o -path '*/cur/*' \\) -type f -printf '%s\\n'").split()
    return f"{round(100 * kibibytes(sum(map(int, sizes))) / kibibytes(status(address)['limit_bytes']))}%"


def create(user, **values):
    """Creates a mailbox of example.net in PostfixAdmin."""
    passwords[user] = "Tonnerre-11"
    browser.open("postfixadmin/edit.php?table=mailbox&domain=example.net")
    browser.fill(**{"welcome_mail": False, **values}, local_part=user, name=user, password=passwords[user],
                 password2=passwords[user])
    browser.submit()
    holds(browser.text(), f"{user}@example.net")


def change(address, **values):
    """Changes a mailbox in PostfixAdmin."""
    browser.open(f"postfixadmin/edit.php?table=mailbox&edit={address}")
    browser.fill(**values)
    browser.submit()


is_courier = "imapd" in inside("ls /etc/courier", None)
trash = "INBOX.Trash" if is_courier else "Trash"
inbox, quota_root = ('"INBOX"', "ROOT") if is_courier else ("INBOX", "User quota")
browser = Browser()

step("In PostfixAdmin's pages, the administrator creates a domain")
browser.log_in_to_postfixadmin()
browser.open("postfixadmin/edit.php?table=domain")
browser.fill(domain="example.net", description="A day", aliases="0", mailboxes="0", maxquota="0")
browser.submit()
holds(browser.text(), "example.net")

step("and a mailbox, whose welcome message makes its maildirsize")
create("clara", quota="1", welcome_mail=True)
delivered("clara@example.net", 1)
equal(ledger("clara@example.net").splitlines()[0], "1048576S")

step("A broadcast message reaches every mailbox, and leaves a maildirsize in each")
before = len(files("bert@example.org"))
browser.open("postfixadmin/broadcast-message.php")
browser.fill(name="The administrator", subject="Maintenance", message="Tonight.")
browser.submit()
for address, count in (("clara@example.net", 2), ("bert@example.org", before + 1)):
    delivered(address, count)
    recounted_exactly(address)

step("The server greets with its banner and no more, and VRFY is off")
client = smtplib.SMTP(timeout=60)
equal(client.connect("127.0.0.1", doors["smtp"]), (220, b"mail.example.com ESMTP NO UCE"))
client.helo("client.example.net")
equal(client.verify("anna@example.org")[0], 502)
client.quit()

step("A client has to introduce itself, with a name that exists")
client = smtp()
equal(client.mail("x@client.example.net")[0], 503)
for name, code in (("bogus..x", 501), ("bogus", 504), ("nowhere.example.net", 450), ("client.example.net", 250)):
    client.helo(name)
    client.mail("x@client.example.net")
    equal((name, client.rcpt("anna@example.org")[0]), (name, code))
    client.rset()
client.quit()

step("A message of more than 20 MiB is refused before it is sent, and announced as too large by EHLO")
client = smtp()
client.ehlo()
equal(client.esmtp_features["size"], "20971520")
equal(client.mail("x@client.example.net", ["size=20971521"])[0], 552)
client.quit()

step("Unknown recipients are refused while the sender is connected, and nobody relays without a login")
refused(550, "User unknown", recipients="nobody@example.org")
refused(554, "Relay access denied", recipients="you@elsewhere.test")

step("Submission needs TLS and a login, and takes mail from whoever has both")
client = smtp("submission")
client.ehlo()
assert "auth" not in client.esmtp_features, "a password could be sent in the clear"
equal(client.mail("anna@example.org")[0], 530)
client.starttls(context=ssl._create_unverified_context())
client.ehlo()
client.mail("anna@example.org")
equal(client.rcpt("bert@example.org")[0], 554)
client.rset()
try:
    client.login("anna@example.org", "wrong")
    raise AssertionError("a wrong password was taken")
except smtplib.SMTPAuthenticationError as refusal:
    equal(refusal.smtp_code, 535)
client.login("anna@example.org", passwords["anna"])
before = len(files("bert@example.org"))
client.sendmail("anna@example.org", ["bert@example.org"], message(3000))
client.quit()
delivered("bert@example.org", before + 1)

step("A service has 75 processes and no more: the next client waits until one of them is free")
# From several addresses, since one client may have half of them.
equal(from_inside("""
import socket
def client(number):
    return socket.create_connection(("127.0.0.1", 25), 60, (f"127.0.1.{number % 5 + 1}", 0))
crowd = [client(number) for number in range(75)]
assert all(other.recv(100).startswith(b"220 ") for other in crowd)
last = client(75)
last.settimeout(1)
try: print("greeted:", last.recv(100))
except TimeoutError: print("not greeted")
crowd.pop().sendall(b"QUIT\\r\\n")
last.settimeout(60)
print(last.recv(100).decode())
"""), "not greeted\n220 mail.example.com ESMTP NO UCE\r\n\n")

step("No program is told of local mail, as biff(1) would be")
listen = """
import smtplib, socket
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("127.0.0.1", 512))
listener.settimeout(3)
smtplib.SMTP("127.0.0.1", 25, "client.example.net").sendmail("x@client.example.net", "www-data@localhost", "Hello")
try: print(listener.recv(100).split(b"@")[0].decode())
except TimeoutError: print("nobody")
"""
equal(from_inside(listen), "nobody\n")
inside("postconf -e biff=yes; postfix reload")
equal(from_inside(listen), "www-data\n")
inside("postconf -e biff=no; postfix reload")

step("Mail for an address, one with an extension and one in capitals is counted to the byte; the log says so")
before = status("anna@example.org")["used_bytes"]
for address in ("anna@example.org", "anna+lists@example.org", "Anna@Example.ORG"):
    send(address, 4000)
until(lambda: status("anna@example.org")["used_bytes"] > before + 12000, "three messages")
used = status("anna@example.org")["used_bytes"]
# The log comes after the message.
holds(until(lambda: log(f"used={used}, limit=2097152"), "a line in the log"), "dsn=2.0.0", "status=sent")
recounted_exactly("anna@example.org")

step("A message that has a Delivered-To of its recipient already arrives, too")
before = len(files("anna@example.org"))
client = smtp()
client.sendmail("x@client.example.net", ["anna@example.org"], "Delivered-To: anna@example.org\r\n" + message(500))
client.quit()
delivered("anna@example.org", before + 1)

step("A mailbox without a limit takes a message of almost 20 MiB")
create("dora", quota="0")
send("dora@example.net", 20_000_000)
delivered("dora@example.net", 1)
holds(inside("ullage status dora@example.net"), "none")

step("An alias to two, an alias domain and a catch-all lead to the mailboxes")
browser.open("postfixadmin/edit.php?table=alias&domain=example.net")
browser.fill(localpart="both", goto="anna@example.org\nclara@example.net")
browser.submit()
browser.open("postfixadmin/edit.php?table=alias&domain=example.net")
browser.fill(localpart="*", goto="clara@example.net")
browser.submit()
anna, clara = len(files("anna@example.org")), len(files("clara@example.net"))
for address in ("both@example.net", "anna@alias.example", "whatever@example.net"):
    send(address)
delivered("anna@example.org", anna + 2)
delivered("clara@example.net", clara + 2)

step("A backup domain's mail goes to its first server; nothing is stored here, and its unknown users are refused")
send("someone@backup.example")
until(lambda: "to=<someone@backup.example>, relay=first.backup.example[127.0.0.2]:25" in
      inside("journalctl -q -o cat -u postfix@-"), "relayed")
inside("test ! -e /var/vmail/backup.example")
refused(550, "User unknown in relay recipient table", recipients="nobody@backup.example")

step("Roundcube shows the percentage that the files make")
browser.log_in_to_roundcube("anna@example.org")
equal(browser.quota()[0], percent("anna@example.org"))

step("What is written in Roundcube goes out by submission")
before = len(files("bert@example.org"))
browser.open("roundcube/?_task=mail&_action=compose")
browser.page.execute_script("""
document.getElementById('_to').value = 'bert@example.org'
document.getElementById('compose-subject').value = 'Lunch?'
document.getElementById('composebody').value = 'At noon.'
rcmail.command('send', '', null)
""")
delivered("bert@example.org", before + 1)

step("Roundcube shows a higher percentage after mail")
before = browser.quota()[0]
for number in range(3):
    send("anna@example.org", 300_000)
until(lambda: status("anna@example.org")["used_bytes"] > 900_000, "three large messages")
bar, tooltip = browser.quota()
equal(bar, percent("anna@example.org"))
assert int(bar[:-1]) > int(before[:-1]) + 40, (before, bar)
holds(tooltip, "2.0 MB")
browser.keep("roundcube")

step("and a lower one when a message is moved to the trash, which does not count")
browser.page.execute_script("rcmail.message_list.select_first(); rcmail.command('delete', '', null)")
until(lambda: files("anna@example.org", ".Trash"), "a message in the trash")
equal(browser.quota()[0], percent("anna@example.org"))
assert int(browser.quota()[0][:-1]) < int(bar[:-1]), (bar, browser.quota())

step("Emptying the trash changes neither the bar nor maildirsize")
bar, before = browser.quota()[0], ledger("anna@example.org")
browser.page.execute_script("rcmail.http_post('purge', {_mbox: '%s', _reload: 1})" % trash)
until(lambda: not files("anna@example.org", ".Trash"), "an empty trash")
equal((browser.quota()[0], ledger("anna@example.org")), (bar, before))

step("The nightly job removes what has been in the trash for 30 days, and maildirsize stays as it is")
client = imap("anna@example.org")
client.select("INBOX")
client.copy("1", trash)
client.logout()
job = inside("sed -n 's/.* vmail  find/find/p' /etc/cron.d/empty-trash").strip()
before = ledger("anna@example.org")
inside(f"runuser -u vmail -- faketime +29days {job}")
assert files("anna@example.org", ".Trash"), "it was removed too early"
inside(f"runuser -u vmail -- faketime +31days {job}")
equal((files("anna@example.org", ".Trash"), ledger("anna@example.org")), ([], before))

step("GETQUOTAROOT, which Thunderbird asks, answers with these figures in KiB")
client = imap("anna@example.org")
used = kibibytes(status("anna@example.org")["used_bytes"])
equal(client.getquotaroot("INBOX")[1],
      [[f'{inbox} "{quota_root}"'.encode()], [f'"{quota_root}" (STORAGE {used} 2048)'.encode()]])

step("Flagging, deleting and expunging by IMAP keep the total exact")
client.select("INBOX")
client.store("1:3", "+FLAGS", "\\Seen")
client.store("2", "+FLAGS", "\\Deleted")
client.expunge()
client.logout()
recounted_exactly("anna@example.org")

step("What does not fit is deferred with the configured text, and waits")
send("anna@example.org", 1_000_000)
until(lambda: status("anna@example.org")["used_bytes"] > 1_000_000, "a large message")
send("anna@example.org", 1_000_000, subject="Waits")
until(lambda: "dsn=4.2.2, status=deferred" in log("<anna@example.org>"), "a message that waits")
reason = until(lambda: queue()[0]["recipients"][0].get("delay_reason"), "the reason why it waits")
holds(reason, "mailbox is full. Please try again later.")

step("What is larger than the whole limit is bounced at once, to its sender")
before = len(files("bert@example.org"))
send("clara@example.net", 1_500_000, sender="bert@example.org", subject="Too large")
delivered("bert@example.org", before + 1)
holds(inside("cat $(ls -t /var/vmail/example.org/bert/new/* | head -n 1)"), "5.2.2", "clara@example.net")

step("A quota raised in PostfixAdmin holds at once, a message that waits is delivered, and the usage follows there")
holds(mailbox("anna@example.org").text, "/ 2")
change("anna@example.org", quota="4")
until(lambda: not queue(), "an empty queue")
equal(ledger("anna@example.org").splitlines()[0], "4194304S")
# As the timer does it.
inside("systemctl start ullage-publish.service")
row = mailbox("anna@example.org")
holds(row.text, f"{round(status('anna@example.org')['used_bytes'] / 2**20, 2):g} / 4")
browser.keep("postfixadmin", row)
equal(browser.quota()[0], percent("anna@example.org"))

step("Thirty messages at once through both mail servers leave exactly what there is room for")
limit, used = (status("clara@example.net")[key] for key in ("limit_bytes", "used_bytes"))
before = len(files("clara@example.net")) + 1
send("clara@example.net", 90_000)
delivered("clara@example.net", before)
size = status("clara@example.net")["used_bytes"] - used
room = (limit - used) // size - 1
load = "smtp-source -s 15 -m 15 -l 90000 -f x@client.example.net -M client.example.net -t clara@example.net"
inside(f"{load} 127.0.0.1:25 & {load} 127.0.0.3:25; wait")
until(lambda: len(queue()) + len(queue("postfix-mail2")) == 30 - room, f"{30 - room} messages that wait")
delivered("clara@example.net", before + room)
recounted_exactly("clara@example.net")
inside("postsuper -d ALL; postsuper -c /etc/postfix-mail2 -d ALL")

step("Another server's mail for the domain comes through both, by their MX records")
inside("""
ip address add 127.0.0.4/8 dev lo
postmulti -I postfix-elsewhere -e create
postconf -c /etc/postfix-elsewhere -e myhostname=client.example.net inet_protocols=ipv4 mydestination= \
  inet_interfaces=127.0.0.4 authorized_submit_users=root
postconf -c /etc/postfix-elsewhere -X master_service_disable
postconf -c /etc/postfix-elsewhere -MX smtp/inet
postmulti -i postfix-elsewhere -e enable
postmulti -i postfix-elsewhere -p start
""")


def from_elsewhere(count):
    """Sends messages, and returns how many came through which server."""
    def lines():
        log = inside("journalctl -q -o cat -t postfix-elsewhere/smtp").splitlines()
        return [line for line in log if "status=sent" in line]
    since = len(lines())
    inside(f"""for i in $(seq {count}); do
      printf 'Subject: %s\\n\\nHello.\\n' $i |
        sendmail -C /etc/postfix-elsewhere -f x@client.example.net bert@example.org
    done""")
    until(lambda: len(lines()) == since + count, f"{count} messages sent")
    return [sum(f"relay={name}.example.com" in line for line in lines()[since:]) for name in ("mail", "mail2")]


before = len(files("bert@example.org"))
counts = from_elsewhere(30)
equal(sum(counts), 30)
assert min(counts) > 0, counts
delivered("bert@example.org", before + 30)
recounted_exactly("bert@example.org")

step("and through the second alone while the first is down")
inside("systemctl stop postfix@-")
equal(from_elsewhere(5), [0, 5])
inside("systemctl start postfix@-")
delivered("bert@example.org", before + 35)
inside("for what in '-p stop' '-e disable' '-e destroy'; do postmulti -i postfix-elsewhere $what || exit; done")

step("While the database is down senders try again, and a message that was taken before waits")
inside("postconf -e defer_transports=ullage; postfix reload")
before = len(files("bert@example.org"))
send("bert@example.org")
until(lambda: queue(), "a message in the queue")
inside("systemctl stop postgresql; postconf -X defer_transports; postfix reload; postfix flush")
refused(451, "Temporary lookup failure", recipients="bert@example.org")
equal(len(files("bert@example.org")), before)
inside("systemctl start postgresql")
# Postfix asks a database that has failed again after a minute.
until(lambda: inside("postfix flush") == "" and len(files("bert@example.org")) > before, "the message", 120)
delivered("bert@example.org", before + 1)
if is_courier:
    # Each process of authdaemond keeps a connection, and refuses one login before it notices that it is broken.
    inside("systemctl restart courier-authdaemon")
    until(lambda: "succeeded" in inside("authtest anna@example.org 2>&1", None), "an answer of authdaemond")

step("A mailbox that is switched off in PostfixAdmin receives nothing, and status says why")
change("anna@example.org", active=False)
refused(550, "User unknown", recipients="anna@example.org")
holds(inside("ullage status anna@example.org", 67), "switched off")
change("anna@example.org", active=True)
equal(status("anna@example.org")["problem"], None)

step("A limit below what is used refuses mail, and to delete mail makes room again")
change("anna@example.org", quota="1")
send("anna@example.org")
until(lambda: "dsn=4.2.2" in log("<anna@example.org>"), "a message that waits")
client = imap("anna@example.org")
client.select("INBOX")
client.store("1:*", "+FLAGS", "\\Deleted")
client.expunge()
client.logout()
before = len(files("anna@example.org"))
inside("postfix flush")
delivered("anna@example.org", before + 1)
recounted_exactly("anna@example.org")

step("By the commands that migrate prints, mail for a full mailbox is refused while the sender is connected")
commands = inside("sed -n '/^If you want it/,/Off again/s/^       //p' /root/migrate.txt")
inside(commands)
until(lambda: inside("systemctl is-active ullaged-policy.service", None) == "active\n", "the policy service")
room = status("clara@example.net")
send("clara@example.net", room["limit_bytes"] - room["used_bytes"] - 1000)
until(lambda: status("clara@example.net")["percent"] >= 99, "a full mailbox")
refused(452, "4.2.2", "mailbox is full", recipients="clara@example.net", size=5000)
send("bert@example.org")
inside("sed -n '/Off again/,/^$/s/^       //p' /root/migrate.txt >/root/off.sh; bash -e /root/off.sh")

step("status names the mailboxes that are almost full")
lines = inside("ullage status --over 90").splitlines()
assert len(lines) == 2 and lines[1].startswith("clara@example.net"), lines

step("The way back: by the printed commands Postfix delivers by itself again, and then by Ullage once more")
inside("cd /root && sed -n '/The way back/,/^If you/s/^       //p' migrate.txt >back.sh && bash -e back.sh")
before = len(files("bert@example.org"))
send("bert@example.org")
delivered("bert@example.org", before + 1)
lines = "journalctl -q -o cat -u postfix@- | grep 'to=<bert@example.org>' | tail -n 1"
until(lambda: "relay=virtual" in inside(lines), "a line in Postfix's log")
inside("cd /root && bash -e migrate.sh")
send("bert@example.org")
delivered("bert@example.org", before + 2)
recounted_exactly("bert@example.org")

step("A recount of everything at rest finds every total exact")
until(lambda: not queue() and not queue("postfix-mail2"), "empty queues")
holds(inside("ullage recompute --all"), ": 4 exact, 1 without a Maildir")

step("The check finds no error")
holds(inside("ullage check", None), "no errors,")

step("The nightly audit repairs what a careless hand has done, and mails its report")
inside(": >/var/vmail/example.net/clara/maildirsize")
before = len(files("bert@example.org"))
inside("systemctl start ullage-audit.service")
delivered("bert@example.org", before + 1)
report = inside("cat $(ls -t /var/vmail/example.org/bert/new/* | head -n 1)")
holds(report, "Subject: Ullage: ", "clara@example.net", "Auto-Submitted: auto-generated")
recounted_exactly("clara@example.net")

step("The Maildir of a mailbox that is deleted in PostfixAdmin stays, and the audit names it")
inside("runuser -u www-data -- bash -c 'cd /usr/share/postfixadmin/scripts && yes | ./postfixadmin-cli mailbox "
       "delete dora@example.net'")
holds(inside("runuser -u vmail -- ullage audit", None), "example.net/dora", "maildir-without-mailbox")

step("After a stop and a start everything is there, and mail is delivered")
browser.page.quit()
for verb in (["stop"], []):
    subprocess.run([mailserver, *verb, directory], stdout=subprocess.DEVNULL, check=True)
doors.update((name, int(port)) for name, port in (line.split() for line in open(f"{directory}/doors")))
before = len(files("bert@example.org"))
send("bert@example.org")
delivered("bert@example.org", before + 1)
equal(inside("systemctl --failed --plain --no-legend"), "")

print(f"{done} steps")
