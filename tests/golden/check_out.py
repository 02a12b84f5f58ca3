"""What `chatscale run --out DIR` wrote, read as its users' programs read it. usage: check_out.py DIR VARIANTS
Says each fault on stderr; status 1 where there is any."""
import csv
import html.parser
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

folder = pathlib.Path(sys.argv[1])
variants = int(sys.argv[2])
faults = []


def expect(true, text):
    if not true:
        faults.append(text)


class Page(html.parser.HTMLParser):
    """Tags that open must close, in order; ids, what refers to them, and what would be requested."""
    void = {'meta', 'br', 'img', 'link', 'input', 'hr'}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.refers, self.requests = [], [], [], []
        self.elements, self.text, self.title = {}, [], ''
        self.labelled = 0

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        expect(len(names) == len(set(names)), f'line {self.getpos()[0]}: <{tag}> says an attribute twice')
        attributes = dict(attributes)
        self.elements[tag] = self.elements.get(tag, 0) + 1
        if 'id' in attributes:
            self.ids.append(attributes['id'])
        for name in ('aria-labelledby', 'data-copy'):
            self.refers += attributes.get(name, '').split()
        href = attributes.get('href', '')
        if href.startswith('#'):
            self.refers.append(href[1:])
        elif tag != 'a' and href:
            self.requests.append(href)
        self.requests += [attributes[name] for name in ('src', 'srcset', 'data', 'poster', 'xlink:href')
                          if name in attributes]
        for value in attributes.values():
            self.refers += re.findall(r'url\(#([^)]*)\)', value or '')
        expect(not any(name.startswith('on') for name in names), f'<{tag}> has a handler')
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.void:
            self.open.pop()

    def handle_endtag(self, tag):
        expect(bool(self.open) and self.open[-1] == tag,
               f'line {self.getpos()[0]}: </{tag}> closes {self.open[-1:]}')
        if self.open:
            self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == 'title' and 'svg' not in self.open:
            self.title += data
        self.text.append(data)


def check_page():
    source = (folder / 'report.html').read_text(encoding='utf-8')
    page = Page()
    page.feed(source)
    page.close()
    expect(page.open == [], f'left open: {page.open}')
    repeated = {name for name in page.ids if page.ids.count(name) > 1}
    expect(not repeated, f'ids that repeat: {sorted(repeated)[:5]}')
    missing = set(page.refers) - set(page.ids)
    expect(not missing, f'refers to what is not there: {sorted(missing)[:5]}')
    expect(page.requests == [], f'would request {page.requests[:5]}')
    expect(page.elements.get('script') == 1, f'{page.elements.get("script")} scripts, of which one is ours')
    expect(page.elements.get('h1') == 1 and page.elements.get('main') == 1, 'one h1, one main')
    expect('<html lang="en">' in source and page.title.strip() != '', 'a language and a title')
    style = re.search(r'<style>(.*?)</style>', source, re.S).group(1)
    expect('url(' not in style and '@import' not in style, 'a style sheet that requests nothing')
    expect(not re.search(r'\b(nan|inf)\b', ' '.join(page.text).lower()), 'no NaN in the text')
    drawings = re.findall(r'<svg.*?</svg>', source, re.S)
    for drawing in drawings:
        try:
            ElementTree.fromstring(re.sub(r'&(?!amp;|lt;|gt;|quot;|#)', '&amp;', drawing))
        except ElementTree.ParseError as error:
            faults.append(f'an SVG that is no XML: {error}')
    expect(sum('class="chart' in drawing for drawing in drawings) >= 6 * variants, 'charts for each variant')
    expect(sum('class="map' in drawing for drawing in drawings) == 2 * variants, 'two maps for each variant')
    limit = 300_000 + 120_000 * (variants - 1)
    expect(len(source) < limit, f'{len(source)} bytes, limit {limit}')
    return source


def check_csv(results):
    for name, key in (('stages', 'stage'), ('tiers', 'resource'), ('counters', 'counter'), ('series', 'time_s')):
        with open(folder / f'{name}.csv', newline='', encoding='utf-8') as file:
            rows = list(csv.DictReader(file, strict=True))
        expect(rows and all(None not in row and None not in row.values() for row in rows), f'{name}.csv: ragged')
        pairs = {(row['scenario'], row['variant']) for row in rows}
        expect(len(pairs) == variants, f'{name}.csv: {pairs}')
        keys = [(row['scenario'], row['variant'], row.get('tier'), row[key]) for row in rows]
        expect(len(keys) == len(set(keys)), f'{name}.csv: a row twice')
    with open(folder / 'stages.csv', newline='', encoding='utf-8') as file:
        found = {(row['variant'], row['stage']): row for row in csv.DictReader(file)}
    for result in results:
        for stage in result['stages']:
            row = found[(result['scenario']['variant'] or '', stage['name'])]
            expect(int(row['count']) == stage['count'], f'{stage["name"]}: another count')
            if stage['p99']:
                expect(float(row['p99_ns']) == stage['p99']['value'], f'{stage["name"]}: another p99')
            else:
                expect(row['p99_ns'] == '', f'{stage["name"]}: a p99 from nowhere')


def check_junit():
    root = ElementTree.parse(folder / 'junit.xml').getroot()
    expect(root.tag == 'testsuites' and len(root) == variants, 'a suite for each variant')
    names = set()
    cases = failures = 0
    for suite in root:
        found = suite.findall('testcase')
        failed = [case for case in found if case.find('failure') is not None]
        expect(int(suite.get('tests')) == len(found), 'tests are counted')
        expect(int(suite.get('failures')) == len(failed), 'failures are counted')
        cases, failures = cases + len(found), failures + len(failed)
        for case in found:
            name = (case.get('classname'), case.get('name'))
            expect(name not in names, f'a case twice: {name}')
            names.add(name)
        expect(all(re.search(r'\d|no data', case.find('failure').text) for case in failed), 'figures in each failure')
    expect(int(root.get('tests')) == cases and int(root.get('failures')) == failures, 'the sums are right')
    try:
        import junitparser
    except ImportError:
        return
    parsed = junitparser.JUnitXml.fromfile(str(folder / 'junit.xml'))
    expect(parsed.tests == cases and parsed.failures == failures, 'junitparser counts likewise')


def check_markdown():
    for line in (folder / 'summary.md').read_text(encoding='utf-8').splitlines():
        if line.startswith('|'):
            cells = len(re.findall(r'(?<!\\)\|', line))
            expect(cells == check_markdown.cells or check_markdown.cells == 0, f'summary.md: {line[:60]}')
            check_markdown.cells = cells
        else:
            check_markdown.cells = 0
            expect('<' not in line or line.startswith('chatscale run'), f'summary.md: markup in {line[:60]}')


check_markdown.cells = 0
results = [json.loads(path.read_text(encoding='utf-8')) for path in sorted(folder.rglob('result.json'))]
expect(len(results) == variants, f'{len(results)} results')
check_page()
check_csv(results)
check_junit()
check_markdown()
for fault in faults:
    print(f'{folder}: {fault}', file=sys.stderr)
sys.exit(bool(faults))
