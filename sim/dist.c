#include "sim/dist.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "sim/check.h"
#include "sim/law.h"

#define ATOM_TAIL 0x1p-41 /* Probability of the last octave. */
#define DEPTH_MAX 64      /* Stretches of one piece that wait to be integrated. */
#define SPLITS_MAX 2000   /* Of one piece. */
#define STRAIGHT 5e-3     /* A stretch that bends less than this part of its rise is smooth. */
#define NEGLIGIBLE 1e-9   /* Part of a piece's rise times width that need not be looked into. */
#define NOISE 1e-12       /* Part of a value that is a solver's noise, not a rise. */

/* A stretch of the quantile function, tails from near_tail (the end of the law) to far_tail. */
struct stretch {
    double near_tail;
    double far_tail;
    double near_value;
    double far_value;
};

/* Gauss and Legendre with 4 points on [0, 1]; Abramowitz and Stegun, table 25.4. */
static const double gauss_places[4] = {0.0694318442029737124, 0.330009478207571868,
                                       0.669990521792428132, 0.930568155797026288};
static const double gauss_weights[4] = {0.173927422568726929, 0.326072577431273071,
                                        0.326072577431273071, 0.173927422568726929};

/* Mean quantile over a stretch, and how far the quantiles bend away from the straight line, as a
 * part of the stretch's rise. */
static double stretch_mean(const struct dist_spec *spec, enum law_end end,
                           const struct stretch *stretch, double *bend)
{
    const double width = stretch->far_tail - stretch->near_tail;
    const double rise = stretch->far_value - stretch->near_value;
    double mean = 0.0;
    double most = 0.0;
    for (int i = 0; i < 4; i++) {
        const double tail = stretch->near_tail + width * gauss_places[i];
        const double value = law_quantile(spec, end, tail);
        mean += gauss_weights[i] * value;
        most = fmax(most, fabs(value - stretch->near_value - rise * gauss_places[i]));
    }
    *bend = rise == 0.0 ? 0.0 : most / fabs(rise);
    return mean;
}

/* Mean quantile over a whole piece. What is smooth takes one step; a kink or a jump is closed in
 * upon by halving, until what is left of it can't matter. */
static double piece_mean(const struct dist_spec *spec, enum law_end end,
                         const struct stretch *piece)
{
    if (piece->near_value == piece->far_value) {
        return piece->near_value;
    }
    const double piece_width = piece->far_tail - piece->near_tail;
    const double piece_rise = fabs(piece->far_value - piece->near_value);
    const double most = fmax(piece->far_value, piece->near_value);
    const double enough = piece_width * fmax(NEGLIGIBLE * piece_rise, NOISE * most);
    struct stretch todo[DEPTH_MAX] = {*piece};
    int todo_count = 1;
    int split_count = 0;
    double integral = 0.0;
    while (todo_count > 0) {
        const struct stretch stretch = todo[--todo_count];
        const double width = stretch.far_tail - stretch.near_tail;
        const double rise = fabs(stretch.far_value - stretch.near_value);
        double bend = 0.0;
        const double mean = stretch_mean(spec, end, &stretch, &bend);
        if (bend <= STRAIGHT || width * rise <= enough || split_count == SPLITS_MAX ||
            todo_count + 2 > DEPTH_MAX) {
            integral += mean * width;
            continue;
        }
        split_count++;
        const double middle = 0.5 * (stretch.near_tail + stretch.far_tail);
        const double value = law_quantile(spec, end, middle);
        todo[todo_count++] = (struct stretch){stretch.near_tail, middle, stretch.near_value, value};
        todo[todo_count++] = (struct stretch){middle, stretch.far_tail, value, stretch.far_value};
    }
    return integral / piece_width;
}

/* Conditional mean beyond ATOM_TAIL: octave by octave outwards, until nothing more comes. */
static double atom_mean(const struct dist_spec *spec, enum law_end end)
{
    double integral = 0.0;
    double far_tail = ATOM_TAIL;
    double far_value = law_quantile(spec, end, far_tail);
    while (far_tail > 0x1p-1000) {
        const double near_tail = 0.5 * far_tail;
        const double near_value = law_quantile(spec, end, near_tail);
        const struct stretch octave = {near_tail, far_tail, near_value, far_value};
        const double part = piece_mean(spec, end, &octave) * (far_tail - near_tail);
        integral += part;
        far_tail = near_tail;
        far_value = near_value;
        if (part <= 1e-13 * integral) {
            break;
        }
    }
    integral += far_value * far_tail;
    return integral / ATOM_TAIL;
}

/* The straight piece with this mean that stays between the values at its ends: it starts at the
 * end value that is nearer to the mean, so that the pieces together never turn back. */
static struct dist_piece piece_make(double near_value, double far_value, double mean)
{
    const double least = fmin(near_value, far_value);
    const double most = fmax(near_value, far_value);
    const double kept = fmin(fmax(mean, least), most);
    const double reach = fmin(kept - least, most - kept); /* Half the piece's rise. */
    const double sign = far_value >= near_value ? 1.0 : -1.0;
    return (struct dist_piece){kept - sign * reach, 2.0 * sign * reach};
}

/* Builds one half of the table, from the end to the median. */
static void half_build(struct dist *dist, const struct dist_spec *spec, enum law_end end)
{
    struct dist_piece *pieces = dist->pieces[end];
    const uint32_t per_octave = 1u << DIST_PIECE_BITS;
    const uint32_t atom_first = (DIST_OCTAVE_COUNT - 1) << DIST_PIECE_BITS;
    const double atom = atom_mean(spec, end);
    for (uint32_t i = 0; i < per_octave; i++) {
        pieces[atom_first + i] = (struct dist_piece){atom, 0.0};
    }
    double mean = atom * ATOM_TAIL;
    double second_moment = atom * atom * ATOM_TAIL;
    double near_value = law_quantile(spec, end, ATOM_TAIL);
    for (uint32_t octave = DIST_OCTAVE_COUNT - 1; octave-- > 0;) {
        const double octave_tail = ldexp(1.0, -(int)octave - 2);
        const double width = octave_tail / per_octave;
        for (uint32_t i = 0; i < per_octave; i++) {
            const double near_tail = octave_tail + width * i;
            double far_value = law_quantile(spec, end, near_tail + width);
            /* Solvers may turn back by a rounding. */
            far_value = end == LAW_LOW ? fmax(far_value, near_value) : fmin(far_value, near_value);
            const struct stretch stretch = {near_tail, near_tail + width, near_value, far_value};
            const struct dist_piece piece =
                piece_make(near_value, far_value, piece_mean(spec, end, &stretch));
            const double middle = piece.base + 0.5 * piece.slope;
            pieces[(octave << DIST_PIECE_BITS) + i] = piece;
            mean += width * middle;
            second_moment += width * (middle * middle + piece.slope * piece.slope / 12.0);
            near_value = far_value;
        }
    }
    dist->mean += mean;
    dist->second_moment += second_moment;
}

enum dist_err dist_init(struct dist *dist, const struct dist_spec *spec)
{
    CHECK(dist != NULL);
    const enum dist_err err = law_validate(spec);
    if (err != DIST_OK) {
        return err;
    }
    dist->mean = 0.0;
    dist->second_moment = 0.0;
    half_build(dist, spec, LAW_LOW);
    half_build(dist, spec, LAW_HIGH);
    const uint32_t atom = DIST_PIECE_COUNT - 1;
    dist->min = fmin(law_quantile(spec, LAW_LOW, 0.0), dist->pieces[LAW_LOW][atom].base);
    dist->max = dist->pieces[LAW_HIGH][atom].base;
    CHECK(dist->min >= 0.0);
    CHECK(dist->min <= dist->mean * (1.0 + 1e-12));
    CHECK(dist->max <= DIST_VALUE_MAX);
    return DIST_OK;
}

const char *dist_err_field(enum dist_err err)
{
    static const char *const fields[] = {"",      "law",   "mean",  "median", "sigma",  "shape",
                                         "scale", "range", "shift", "cap",    "points", "parts"};
    const int index = -(int)err;
    CHECK(index >= 0 && index < (int)(sizeof fields / sizeof fields[0]));
    return fields[index];
}
