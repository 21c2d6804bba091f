"""Tables of recognition: every figure at its place, means and languages where there are several."""

from fairseq_samu.reports.recognition_tables import tabulate_comparison, tabulate_system, tabulate_systems
from fairseq_samu.scoring.recognition import RecognitionPlan, score_recognition
from fairseq_samu.scoring.recognition_summary import describe_comparison, describe_summary, summarise_recognition

REFERENCES = ["un deux trois", "uno due"] * 20
POOR = ["un dix", "tre"] * 20
BOTH = {"fr": range(0, 40, 2), "it": range(1, 40, 2)}


def summarise(hypotheses=POOR, num_resamples=100, languages=BOTH):
    plan = RecognitionPlan(num_resamples=num_resamples)
    return summarise_recognition(score_recognition(hypotheses, REFERENCES, plan), languages, plan)


def test_a_system():
    counted, by_language = tabulate_system(describe_summary(summarise()))
    assert counted.title == "recognition, 40 utterances"
    assert next(row[:2] + row[3:] for row in counted.rows) == ["WER", "80.00", "40", "40", "0", "100"]
    assert [row[0] for row in counted.rows] == ["WER", "CER"]
    assert [row[:2] for row in by_language.rows] == [["fr", "20"], ["it", "20"], ["mean of 2", ""]]
    assert [row[2].split()[0] for row in by_language.rows] == ["66.67", "100.00", "83.33"]
    assert len(tabulate_system(describe_summary(summarise(languages={"fr": range(40)})))) == 1


def test_systems_beside_each_other():
    systems = {"poor": summarise(num_resamples=0), "perfect": summarise(REFERENCES, num_resamples=0)}
    tables = tabulate_systems({name: describe_summary(summary) for name, summary in systems.items()})
    assert [table.title for table in tables] == ["recognition", "on fr", "on it", "on mean of 2"]
    assert tables[0].rows == [["poor", "40", "80.00", tables[0].rows[0][3]], ["perfect", "40", "0.00", "0.00"]]
    assert [row[2] for row in tables[3].rows] == ["83.33", "0.00"]


def test_a_comparison():
    compared = describe_comparison(summarise(REFERENCES), summarise())
    table = tabulate_comparison({"perfect": {"baseline": "poor", **compared}})
    assert table.title == "paired bootstrap against poor, less is better"
    assert [row[1:4] for row in table.rows if row[2] == "WER"] == [
        ["fr", "WER", "-66.67"],
        ["it", "WER", "-100.00"],
        ["mean of 2", "WER", "-83.33"],
        ["all", "WER", "-80.00"],
    ]
