import pytest

from kosparse.synthetic.particles import final_consonant, follow


@pytest.mark.parametrize(
    ("term", "particle", "form"),
    [
        ("문서", "은", "는"),
        ("파일", "는", "은"),
        ("시트", "이", "가"),
        ("모델", "가", "이"),
        ("차트", "을", "를"),
        ("표", "과", "와"),
        ("창", "와", "과"),
        ("시트", "으로", "로"),
        ("셀", "으로", "로"),
        ("창", "로", "으로"),
        ("cell", "를", "을"),
        ("sheet", "으로", "로"),
        ("table", "로", "로"),
        ("template", "은", "는"),
        ("column", "가", "이"),
        ("web", "를", "을"),
        ("API", "을", "를"),
        ("HTML", "를", "을"),
        ("PDF", "으로", "로"),
        ("버전 3", "와", "과"),
        ("버전 2", "과", "와"),
        ("셀(cell)", "를", "을"),
    ],
)
def test_a_particle_follows_the_sound_before_it(term, particle, form):
    assert follow(term, particle) == form


@pytest.mark.parametrize("particle", ["에서", "의", "도", "에", "만", ""])
def test_other_particles_stay_as_they_are(particle):
    assert follow("모델", particle) == particle


def test_a_term_without_letters_ends_in_no_consonant():
    assert final_consonant("***") == 0
    assert final_consonant("") == 0
