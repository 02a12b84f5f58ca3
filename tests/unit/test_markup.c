#include "reports/markup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reports/chart.h"
#include "reports/words.h"

static void assert_text(const char *text, const char *expected)
{
    char *written = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&written, &size);
    assert_non_null(stream);
    markup_text(stream, text);
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(written, expected);
    free(written);
}

static void what_comes_from_outside_is_never_markup(void **state)
{
    (void)state;
    assert_text("<script>alert('x') && \"y\"</script>",
                "&lt;script&gt;alert(&#39;x&#39;) &amp;&amp; &quot;y&quot;&lt;/script&gt;");
    assert_text("täglich 5 µs", "täglich 5 µs");
    assert_text(NULL, "");
}

static void what_xml_forbids_is_replaced(void **state)
{
    (void)state;
    assert_text("a\x01z\x1b[31m\x7f", "a\xEF\xBF\xBDz\xEF\xBF\xBD[31m\xEF\xBF\xBD");
    assert_text("\xff\xc3", "\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_text("\xEF\xBF\xBE", "\xEF\xBF\xBD"); /* U+FFFE. */
    assert_text("two\nlines\tand a tab", "two\nlines\tand a tab");
}

static void a_format_takes_text_and_numbers(void **state)
{
    (void)state;
    char *written = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&written, &size);
    assert_non_null(stream);
    markup_put(stream, "<a b=\"%s\">%u %d %.1f %g %016llx 100%%</a>", "\"&", 7u, -3, 2.25, 1e9,
               0xabcull);
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(written, "<a b=\"&quot;&amp;\">7 -3 2.2 1e+09 0000000000000abc 100%</a>");
    free(written);
}

static void a_script_of_gnuplot_gets_plain_names_only(void **state)
{
    (void)state;
    char buffer[64];
    assert_string_equal(chart_quote("zone 1 goes dark", buffer, sizeof buffer),
                        "'zone 1 goes dark'");
    assert_string_equal(chart_quote("x'; system \"rm\"\n`ls`", buffer, sizeof buffer),
                        "'x?; system ?rm???ls?'");
    assert_string_equal(chart_quote("too long", buffer, 6), "'too'");
}

static void an_interval_says_its_unit_once(void **state)
{
    (void)state;
    char buffer[WORDS_SIZE];
    assert_string_equal(words_span("131 ms", "158 ms", buffer), "131–158 ms");
    assert_string_equal(words_span("950 us", "1.2 ms", buffer), "950 us–1.2 ms");
    assert_string_equal(words_span("3%", "4%", buffer), "3%–4%");
}

/* -- Charts --------------------------------------------------------------------------------------
 */

static void a_chart_takes_the_page_s_colours_and_no_ids(void **state)
{
    (void)state;
    char error[CHART_ERROR_SIZE];
    const struct chart chart = {.id = "here",
                                .class = "",
                                .title = "A <line>",
                                .about = "It \"rises\"",
                                .width = 300,
                                .height = 200,
                                .script = "set label 1 'a < b & 12.345' at 0.5,0.5\n"
                                          "plot [0:1] x with lines lc rgb \"#000002\"\n"};
    char *svg = chart_draw(&chart, error);
    if (svg == NULL) {
        fail_msg("%s", error);
    }
    assert_non_null(strstr(svg, "viewBox=\"0 0 300 200\" role=\"img\""));
    assert_non_null(strstr(svg, "<title id=\"here-t\">A &lt;line&gt;</title>"));
    assert_non_null(strstr(svg, "<desc id=\"here-d\">It &quot;rises&quot;</desc>"));
    assert_non_null(strstr(svg, "var(--c2)"));
    assert_non_null(strstr(svg, "a &lt; b &amp; 12.345")); /* Text keeps its digits. */
    assert_null(strstr(svg, "rgb("));
    assert_null(strstr(svg, "black"));
    assert_null(strstr(svg, "gnuplot"));
    assert_null(strstr(svg, "<script"));
    free(svg);
}

static void a_chart_that_gnuplot_refuses_says_why(void **state)
{
    (void)state;
    char error[CHART_ERROR_SIZE] = "";
    const struct chart chart = {.id = "x",
                                .class = "",
                                .title = "",
                                .about = "",
                                .width = 300,
                                .height = 200,
                                .script = "plot 'nowhere.txt'\n"};
    assert_null(chart_draw(&chart, error));
    assert_non_null(strstr(error, "gnuplot failed: "));
}

static void without_gnuplot_there_is_a_remedy(void **state)
{
    (void)state;
    char error[CHART_ERROR_SIZE];
    assert_true(chart_available(error));
    char *path = strdup(getenv("PATH"));
    assert_non_null(path);
    setenv("PATH", "/nowhere", 1);
    assert_false(chart_available(error));
    setenv("PATH", path, 1);
    free(path);
    assert_non_null(strstr(error, "gnuplot can't be started"));
    assert_non_null(strstr(error, "remedy: apt-get install gnuplot-nox"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_from_outside_is_never_markup),
        cmocka_unit_test(what_xml_forbids_is_replaced),
        cmocka_unit_test(a_format_takes_text_and_numbers),
        cmocka_unit_test(a_script_of_gnuplot_gets_plain_names_only),
        cmocka_unit_test(an_interval_says_its_unit_once),
        cmocka_unit_test(a_chart_takes_the_page_s_colours_and_no_ids),
        cmocka_unit_test(a_chart_that_gnuplot_refuses_says_why),
        cmocka_unit_test(without_gnuplot_there_is_a_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
